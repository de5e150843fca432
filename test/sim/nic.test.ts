import { expect, test } from "vitest";
import type { DataPath, HookResult, Verdict } from "../../src/dataplane/datapath.ts";
import type { Skb } from "../../src/dataplane/skb.ts";
import type { Host } from "../../src/sim/host.ts";
import { ping } from "../../src/sim/ping.ts";
import { SEC } from "../../src/sim/types.ts";
import { TC_ACT_REDIRECT, TC_ACT_SHOT, TC_ACT_UNSPEC } from "../../src/tables/reasons.ts";
import { ETH_P_IP, ethType, formatMac } from "../../src/wire/ethernet.ts";
import { ip, lan, plug, record } from "./network.ts";

/** A data path that does what it is told with IPv4 packets, and notes the interfaces it was called for. */
class Fake implements DataPath {
  readonly last: HookResult = {
    reason: 0,
    redirectIfindex: 0,
    redirectIngress: false,
    tunnel: -1,
    group: -1,
    service: -1,
    fib: -1,
  };
  readonly calls: string[] = [];
  onIngress: (skb: Skb) => Verdict = () => TC_ACT_UNSPEC;
  onEgress: (skb: Skb) => Verdict = () => TC_ACT_UNSPEC;

  ingress(skb: Skb): Verdict {
    if (ethType(skb.buf, skb.head) !== ETH_P_IP) return TC_ACT_UNSPEC;
    this.calls.push(`ingress ${skb.ifindex}`);
    return this.onIngress(skb);
  }
  egress(skb: Skb): Verdict {
    if (ethType(skb.buf, skb.head) !== ETH_P_IP) return TC_ACT_UNSPEC;
    this.calls.push(`egress ${skb.ifindex}`);
    return this.onEgress(skb);
  }
  redirect(ifindex: number, ingress: boolean): Verdict {
    this.last.redirectIfindex = ifindex;
    this.last.redirectIngress = ingress;
    return TC_ACT_REDIRECT;
  }
}

const swapMacs = (skb: Skb): void => {
  const macs = skb.buf.slice(skb.head, skb.head + 12);
  skb.buf.set(macs.subarray(6), skb.head);
  skb.buf.set(macs.subarray(0, 6), skb.head + 6);
};

const pinged = (from: Host, addr: string) => {
  const p = ping(from, ip(addr), { count: 1 });
  from.env.clock.run(from.env.clock.now + 5 * SEC);
  return p.result.received;
};

test("MAC addresses are made of the IPv4 address, interface indexes count from 2", () => {
  const { hosts } = lan(1);
  const nic = hosts[0].addNic("eth2", ip("172.1.0.5"), 24);
  expect(formatMac(nic.mac)).toBe("02:42:ac:01:00:05");
  expect([hosts[0].lo.ifindex, ...hosts[0].nics.map((n) => n.ifindex)]).toEqual([1, 2, 3]);
});

test("pass, drop on ingress, drop on egress, detached again; drops are reported", () => {
  const { env, hosts } = lan(2);
  const dp = new Fake();
  expect(hosts[1].attach("eth9", dp)).toBe(false);
  expect(hosts[1].attach("eth1", dp)).toBe(true);
  expect(pinged(hosts[0], "10.0.0.3")).toBe(1);
  expect(dp.calls).toEqual(["ingress 2", "egress 2"]);
  const rec = record(env);
  dp.onIngress = () => TC_ACT_SHOT;
  expect(pinged(hosts[0], "10.0.0.3")).toBe(0);
  dp.onIngress = () => TC_ACT_UNSPEC;
  dp.onEgress = () => TC_ACT_SHOT;
  expect(pinged(hosts[0], "10.0.0.3")).toBe(0);
  expect(rec.drops.map((d) => [d.where, d.at])).toEqual([
    ["tc ingress", "h2/eth1"],
    ["tc egress", "h2/eth1"],
  ]);
  hosts[1].detach("eth1");
  expect(pinged(hosts[0], "10.0.0.3")).toBe(1);
  expect(env.pool.outstanding).toBe(0);
});

test("taps see ingress before the hook and egress after it", () => {
  const { env, hosts } = lan(2);
  pinged(hosts[0], "10.0.0.3");
  const dp = new Fake();
  // The hook marks the TOS byte; the tap must not see the mark on ingress, and must on egress.
  const mark = (skb: Skb): Verdict => {
    skb.buf[skb.head + 6 + 5] = 0xee;
    return TC_ACT_UNSPEC;
  };
  dp.onIngress = mark;
  dp.onEgress = mark;
  hosts[1].attach("eth1", dp);
  const rec = record(env);
  pinged(hosts[0], "10.0.0.3");
  const mine = rec.packets.filter((p) => p.nic === "h2/eth1" && ethType(p.frame, 0) === ETH_P_IP);
  expect(mine.map((p) => [p.direction, p.frame[11]])).toEqual([
    ["in", 2],
    ["out", 0xee],
  ]);
  // ARP follows later.
  expect(rec.hooks.slice(0, 2).map((h) => h.hook)).toEqual(["ingress", "egress"]);
});

test("egress redirected to the own ingress comes back by tap and ingress hook, after the send has returned", () => {
  const { env, hosts } = lan(2);
  pinged(hosts[0], "10.0.0.3");
  const dp = new Fake();
  hosts[0].attach("eth1", dp);
  dp.onEgress = (skb) => {
    swapMacs(skb);
    // Turned round: an echo request from the peer.
    const addrs = skb.buf.slice(skb.head + 26, skb.head + 34);
    skb.buf.set(addrs.subarray(4), skb.head + 26);
    skb.buf.set(addrs.subarray(0, 4), skb.head + 30);
    dp.onEgress = () => TC_ACT_UNSPEC;
    return dp.redirect(2, true);
  };
  const rec = record(env);
  ping(hosts[0], ip("10.0.0.3"), { count: 1 });
  env.clock.step();
  expect(dp.calls).toEqual(["egress 2"]);
  env.clock.run(env.clock.now + SEC);
  // The reply to the turned request goes out, and is none of the peer's business.
  expect(dp.calls).toEqual(["egress 2", "ingress 2", "egress 2"]);
  expect(rec.packets.slice(0, 2).map((p) => [p.nic, p.direction])).toEqual([
    ["h1/eth1", "in"],
    ["h1/eth1", "out"],
  ]);
});

test("ingress redirected to another NIC's output runs that NIC's egress hook, and bypasses the stack", () => {
  const { env, bridge, hosts } = lan(3);
  const [a, router, c] = hosts;
  const nic2 = router.addNic("eth2", ip("10.0.0.50"), 24);
  plug({ env }, bridge, nic2);
  // Unless the bridge knows the receiver it floods, and eth1 gets the redirected packet again.
  pinged(c, "10.0.0.50");
  const dp = new Fake();
  router.attach("eth1", dp);
  router.attach("eth2", dp);
  a.addRoute(ip("1.1.1.1"), 32, router.nics[0].addr);
  c.addAddress(c.lo, ip("1.1.1.1"));
  dp.onIngress = (skb) => {
    if (skb.buf[skb.head + 30] !== 1) return TC_ACT_UNSPEC;
    skb.buf.set(c.nics[0].macBytes, skb.head);
    skb.buf.set(nic2.macBytes, skb.head + 6);
    return dp.redirect(nic2.ifindex, false);
  };
  expect(router.ip.settings.ipForward).toBe(false);
  expect(pinged(a, "1.1.1.1")).toBe(1);
  expect(dp.calls).toEqual(["ingress 2", "egress 3"]);
  expect(router.ip.forwarded).toBe(0);
});

test("a redirect to nowhere, and one in a circle, end as drops", () => {
  const { env, hosts } = lan(2);
  const rec = record(env);
  const dp = new Fake();
  hosts[0].attach("eth1", dp);
  dp.onEgress = () => dp.redirect(77, false);
  pinged(hosts[0], "10.0.0.3");
  dp.onEgress = () => dp.redirect(2, false);
  pinged(hosts[0], "10.0.0.3");
  expect(rec.drops.map((d) => d.reason)).toEqual([
    "redirect to an interface that does not exist",
    "redirected in a loop",
  ]);
  expect(env.pool.outstanding).toBe(0);
});

test("frames over MTU + 14 are dropped silently, counted and reported, as a veth does", () => {
  const { env, hosts } = lan(2);
  pinged(hosts[0], "10.0.0.3");
  const rec = record(env);
  const dp = new Fake();
  hosts[0].attach("eth1", dp);
  dp.onEgress = (skb) => {
    skb.end = skb.head + 1500 + 14 + 1;
    return TC_ACT_UNSPEC;
  };
  expect(pinged(hosts[0], "10.0.0.3")).toBe(0);
  expect(hosts[0].nics[0].txOversize).toBe(1);
  expect(rec.drops.map((d) => [d.where, d.at])).toEqual([["nic", "h1/eth1"]]);
  expect(rec.packets.filter((p) => ethType(p.frame, 0) === ETH_P_IP).map((p) => p.direction)).toEqual(["out"]);
});

test("a frame for another MAC address passes the hook, then goes no further", () => {
  const { env, hosts } = lan(2);
  const dp = new Fake();
  hosts[1].attach("eth1", dp);
  const rec = record(env);
  const skb = env.pool.get(60);
  skb.buf.fill(0, skb.head, skb.end);
  skb.buf.set([2, 9, 9, 9, 9, 9, 2, 8, 8, 8, 8, 8, 8, 0], skb.head);
  hosts[0].nics[0].out!.send(skb);
  env.clock.run(SEC);
  expect(dp.calls).toEqual(["ingress 2"]);
  expect(rec.drops.map((d) => d.reason)).toEqual(["the frame is for another MAC address"]);
});

test("fib lookup: needs forwarding and a known neighbour, and gives both MAC addresses", () => {
  const { env, hosts } = lan(2);
  const p = { ifindex: 2, saddr: 0, daddr: ip("10.0.0.3"), sport: 0, dport: 0, proto: 17, smac: 0, dmac: 0 };
  expect(hosts[0].fibLookup({ ...p })).toBe(5);
  hosts[0].ip.settings.ipForward = true;
  expect(hosts[0].fibLookup({ ...p })).toBe(7);
  expect(env.clock.pending).toBe(0);
  pinged(hosts[0], "10.0.0.3");
  const out = { ...p };
  expect(hosts[0].fibLookup(out)).toBe(0);
  expect([out.ifindex, out.smac, out.dmac]).toEqual([2, hosts[0].nics[0].mac, hosts[1].nics[0].mac]);
  expect(hosts[0].fibLookup({ ...p, daddr: ip("10.0.0.2") })).toBe(4);
});
