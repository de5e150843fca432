/** Small networks for the tests of this folder. */
import { Bridge } from "../../src/sim/bridge.ts";
import { SimEnv, type Tap } from "../../src/sim/env.ts";
import { Host } from "../../src/sim/host.ts";
import { DEFAULT_LINK, Link, type LinkProps } from "../../src/sim/link.ts";
import type { Nic } from "../../src/sim/nic.ts";
import { parseIpv4 } from "../../src/wire/ipv4.ts";

export const ip = (text: string): number => {
  const addr = parseIpv4(text);
  if (addr === undefined) throw new Error(`not an address: ${text}`);
  return addr;
};

export interface TestNet {
  env: SimEnv;
  bridge: Bridge;
  hosts: Host[];
  links: Link[];
}

/** `n` hosts 10.0.0.2, .3, ... on one bridge. */
export function lan(n: number, props: Partial<LinkProps> = {}, seed = 1): TestNet {
  const env = new SimEnv(seed);
  const bridge = new Bridge(env, "br");
  const net: TestNet = { env, bridge, hosts: [], links: [] };
  for (let i = 0; i < n; i++) {
    const host = new Host(env, `h${i + 1}`);
    net.hosts.push(host);
    net.links.push(plug(net, bridge, host.addNic("eth1", ip("10.0.0.2") + i, 24), props));
  }
  return net;
}

export function plug(net: { env: SimEnv }, bridge: Bridge, nic: Nic, props: Partial<LinkProps> = {}): Link {
  return new Link(net.env, nic.label, nic, bridge.addPort(), { ...DEFAULT_LINK, ...props });
}

export interface Recorder extends Tap {
  packets: { nic: string; direction: "in" | "out"; frame: Uint8Array }[];
  hooks: { nic: string; hook: string; verdict: number }[];
  drops: { where: string; reason: string; at: string }[];
}

export function record(env: SimEnv): Recorder {
  const rec: Recorder = {
    packets: [],
    hooks: [],
    drops: [],
    onPacket(nic, direction, skb) {
      rec.packets.push({ nic: nic.label, direction, frame: skb.frame() });
    },
    onHook(nic, hook, _skb, verdict) {
      rec.hooks.push({ nic: nic.label, hook, verdict });
    },
    onDrop(where, reason, at) {
      rec.drops.push({ where, reason, at: at.label });
    },
  };
  env.tap = rec;
  return rec;
}
