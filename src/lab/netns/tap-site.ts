/**
 * A topology as network namespaces whose interfaces are TAPs: what goes over them is forwarded in this process, by the
 * reference and bridges of our own. A network's namespace holds the gateway alone, its br0 is a TAP as well.
 */
import type { DropRecord, HookPacket, PacketRecord } from "../../scenario/lab.ts";
import type { Topology } from "../../scenario/topology.ts";
import { macOf, type Nic } from "../../sim/nic.ts";
import { ReferencePath } from "../linux/reference-path.ts";
import { configureGateway } from "../linux/settings.ts";
import type { Watched } from "../linux/site.ts";
import { requireTun } from "../linux/tap-calls.ts";
import { TapClock, TapNet } from "../linux/tap-net.ts";
import type { World } from "../linux/world.ts";
import { Recorder } from "../sim/recorder.ts";
import { NetnsSite } from "./site.ts";

const GATEWAY_MTU = 1500;

export class TapSite extends NetnsSite implements Watched {
  clock = new TapClock(0);
  private readonly recorder = new Recorder(this, false);
  private net: TapNet | undefined;

  /** Throws LabError also ERR_NO_TUN. */
  override require(): void {
    super.require();
    requireTun();
  }

  watch(startMs: number): Watched {
    this.clock = new TapClock(startMs);
    return this;
  }

  get packets(): readonly PacketRecord[] {
    return this.recorder.packets;
  }

  get hookPackets(): readonly HookPacket[] {
    return this.recorder.hookPackets;
  }

  get drops(): readonly DropRecord[] {
    return this.recorder.drops;
  }

  get failure(): unknown {
    return this.net?.failure;
  }

  set recording(on: boolean) {
    this.recorder.recording = on;
  }

  set recordingHooks(on: boolean) {
    this.recorder.recordingHooks = on;
  }

  override remove(): void {
    this.net?.close();
    this.net = undefined;
    // Of the next life nobody wants to see the checks.
    this.recorder.recording = false;
    super.remove();
  }

  protected override connect(world: World, topology: Topology): void {
    const net = new TapNet(this.clock, this.recorder);
    this.net = net;
    const bridges = new Map(topology.networks.map((n) => [n.name, net.addBridge(n.name)]));
    for (const def of topology.networks) {
      const { name, ns, nic } = world.gateways.get(def.name)!;
      bridges.get(def.name)!.attachLocal(net.addNic(name, ns, nic, macOf(def.gateway), GATEWAY_MTU).nic);
      configureGateway(ns, def, topology);
    }
    for (const def of topology.hosts) {
      const ns = this.hostNamespace(def);
      const nics = new Map<string, Nic>();
      const path = new ReferencePath(ns, nics);
      world.addHost(def, ns, path);
      for (const nic of def.nics) {
        const tap = net.addNic(def.name, ns, nic.name, macOf(nic.addr), nic.mtu);
        nics.set(nic.name, tap.nic);
        world.addWire(net.plug(tap, bridges.get(nic.network)!));
      }
      net.setOwner(def.name, path);
    }
    net.start();
  }
}
