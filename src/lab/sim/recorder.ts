/** Watches a network of simulated NICs: keeps packets where they are asked for, and always where and why a packet was dropped. */
import type { HookResult, Verdict } from "../../dataplane/datapath.ts";
import type { Skb } from "../../dataplane/skb.ts";
import type { DropRecord, HookNote, HookPacket, PacketRecord } from "../../scenario/lab.ts";
import type { DropSite, FrameEnv, Tap } from "../../sim/env.ts";
import type { Nic } from "../../sim/nic.ts";
import { TC_ACT_SHOT } from "../../tables/reasons.ts";

/** Drops kept with their frames; a lossy link would otherwise fill the memory. Further ones are counted. */
const MAX_DROPS = 100_000;

export class Recorder implements Tap {
  readonly packets: PacketRecord[] = [];
  readonly drops: DropRecord[] = [];
  /** Drops beyond what is kept. */
  moreDrops = 0;
  /** What was on the other side of hooks; kept where `recordingHooks` says so. */
  readonly hookPackets: HookPacket[] = [];
  /** Keep packets? Drops are kept in any case. */
  recording: boolean;
  /** Keep what is on both sides of hooks, as long as packets are kept? */
  recordingHooks = false;

  /** Whose clock tells the time. */
  env: Pick<FrameEnv, "clock">;
  /** What the egress hook said of the packet that its NIC sends next. */
  private pending: HookNote | undefined;
  private pendingNic: Nic | undefined;

  constructor(env: Pick<FrameEnv, "clock">, recording: boolean) {
    this.env = env;
    this.recording = recording;
  }

  onPacket(nic: Nic, direction: "in" | "out", skb: Skb): void {
    if (!this.recording) return;
    const [host, name] = split(nic.label);
    const hook = direction === "out" && this.pendingNic === nic ? this.pending : undefined;
    this.pending = this.pendingNic = undefined;
    this.packets.push({ timeNs: this.env.clock.now, host, nic: name, direction, frame: skb.frame(), hook });
  }

  beforeHook(nic: Nic, hook: "ingress" | "egress", skb: Skb): void {
    if (hook === "egress") this.atHook(nic, "egress:before", "out", skb);
  }

  onHook(
    nic: Nic,
    hook: "ingress" | "egress",
    skb: Skb,
    verdict: Verdict,
    result: HookResult,
    lenBefore: number,
  ): void {
    if (!this.recording) return;
    const { reason, tunnel, group, service } = result;
    const note: HookNote = { hook, reason, tunnel, group, service, lenBefore };
    if (hook === "ingress") {
      this.packets[this.packets.length - 1].hook = note;
      if (verdict !== TC_ACT_SHOT) this.atHook(nic, "ingress:after", "in", skb);
      return;
    }
    this.pending = note;
    this.pendingNic = nic;
    if (this.recordingHooks) this.hookPackets[this.hookPackets.length - 1].hook = note;
  }

  private atHook(nic: Nic, side: string, direction: "in" | "out", skb: Skb): void {
    if (!this.recording || !this.recordingHooks) return;
    const [host, name] = split(nic.label);
    const { now: timeNs } = this.env.clock;
    const at = this.packets.length;
    this.hookPackets.push({ timeNs, host, nic: `${name}:${side}`, direction, frame: skb.frame(), at });
  }

  onDrop(where: string, reason: string, at: DropSite, skb: Skb): void {
    // A ping that did its work is consumed, not lost.
    if (reason === "PING_CONSUMED") return;
    if (this.drops.length >= MAX_DROPS) {
      this.moreDrops++;
      return;
    }
    const [host, nic] = split(at.label);
    this.drops.push({ timeNs: this.env.clock.now, host, nic, where, reason, frame: skb.frame() });
  }
}

function split(label: string): [host: string, nic: string] {
  const slash = label.indexOf("/");
  return slash < 0 ? [label, ""] : [label.slice(0, slash), label.slice(slash + 1)];
}
