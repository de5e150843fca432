import { expect, test } from "vitest";
import {
  NUD_DELAY,
  NUD_FAILED,
  NUD_INCOMPLETE,
  NUD_REACHABLE,
  NUD_STALE,
  UNRES_QLEN,
} from "../../src/sim/neighbour.ts";
import { ping } from "../../src/sim/ping.ts";
import { MS, SEC } from "../../src/sim/types.ts";
import { ARPOP_REPLY, ARPOP_REQUEST, arpOper, arpSpa, arpTpa, writeArp } from "../../src/wire/arp.ts";
import { ETH_P_ARP, ethDst, ethType, MAC_BROADCAST, wrMac } from "../../src/wire/ethernet.ts";
import { ip, lan, type Recorder, record, type TestNet } from "./network.ts";

/** ARP packets sent by a NIC: kind, addresses, and whether to everybody. */
const arps = (rec: Recorder, nic: string) =>
  rec.packets
    .filter((p) => p.nic === nic && p.direction === "out" && ethType(p.frame, 0) === ETH_P_ARP)
    .map((p) => [arpOper(p.frame, 14), arpSpa(p.frame, 14), arpTpa(p.frame, 14), ethDst(p.frame, 0) === MAC_BROADCAST]);

const neighbour = (net: TestNet, host: number, addr: string) => {
  const h = net.hosts[host];
  return h.arp(h.nics[0])!.lookup(ip(addr));
};

const H1 = ip("10.0.0.2");
const H2 = ip("10.0.0.3");

test("asks three times, a second apart, then fails what waits; the next packet asks afresh", () => {
  const net = lan(2);
  const rec = record(net.env);
  const [a] = net.hosts;
  const socket = a.udp.bind(0, 0)!;
  socket.sendTo(new Uint8Array(1), ip("10.0.0.9"), 7);
  net.env.clock.run(2500 * MS);
  const ask = [ARPOP_REQUEST, H1, ip("10.0.0.9"), true];
  expect(arps(rec, "h1/eth1")).toEqual([ask, ask, ask]);
  expect(neighbour(net, 0, "10.0.0.9")!.state).toBe(NUD_INCOMPLETE);
  net.env.clock.run(3 * SEC);
  expect(neighbour(net, 0, "10.0.0.9")!.state).toBe(NUD_FAILED);
  expect(rec.drops.filter((d) => d.where === "arp").length).toBe(1);
  socket.sendTo(new Uint8Array(1), ip("10.0.0.9"), 7);
  expect(arps(rec, "h1/eth1").length).toBe(4);
});

test("packets wait for the answer and leave in order; of too many the oldest are dropped", () => {
  const net = lan(2);
  const rec = record(net.env);
  const [a, b] = net.hosts;
  const got: number[] = [];
  b.udp.bind(0, 7, (buf, off) => got.push(buf[off]));
  const socket = a.udp.bind(0, 0)!;
  for (let i = 0; i < UNRES_QLEN + 5; i++) socket.sendTo(Uint8Array.of(i), H2, 7);
  expect(neighbour(net, 0, "10.0.0.3")!.waiting).toBe(UNRES_QLEN);
  net.env.clock.run(SEC);
  expect(got).toEqual(Array.from({ length: UNRES_QLEN }, (_, i) => i + 5));
  expect(arps(rec, "h1/eth1").length).toBe(1);
  expect(rec.drops.map((d) => d.where)).toEqual(new Array(5).fill("arp"));
  expect(net.env.pool.outstanding).toBe(0);
});

test("a question teaches the asked host the asker's address: no question back", () => {
  const net = lan(2);
  const rec = record(net.env);
  ping(net.hosts[0], H2, { count: 1 });
  net.env.clock.run(SEC);
  expect(arps(rec, "h1/eth1")).toEqual([[ARPOP_REQUEST, H1, H2, true]]);
  expect(arps(rec, "h2/eth1")).toEqual([[ARPOP_REPLY, H2, H1, false]]);
});

test("reachable for 30 s; then used at once, and probed unless confirmed within 5 s", () => {
  const net = lan(2);
  const rec = record(net.env);
  const socket = net.hosts[0].udp.bind(0, 0)!;
  net.hosts[1].udp.bind(0, 7);
  const send = () => socket.sendTo(new Uint8Array(1), H2, 7);
  send();
  net.env.clock.run(29 * SEC);
  send();
  expect(neighbour(net, 0, "10.0.0.3")!.state).toBe(NUD_REACHABLE);
  net.env.clock.run(31 * SEC);
  send();
  expect(neighbour(net, 0, "10.0.0.3")!.state).toBe(NUD_DELAY);
  net.env.clock.run(35 * SEC);
  expect(arps(rec, "h1/eth1").length).toBe(1);
  net.env.clock.run(37 * SEC);
  // The probe goes to the known MAC address only.
  expect(arps(rec, "h1/eth1").slice(1)).toEqual([[ARPOP_REQUEST, H1, H2, false]]);
  expect(neighbour(net, 0, "10.0.0.3")!.state).toBe(NUD_REACHABLE);
});

test("a neighbour that is gone fails after three probes", () => {
  const net = lan(2);
  const socket = net.hosts[0].udp.bind(0, 0)!;
  socket.sendTo(new Uint8Array(1), H2, 7);
  net.env.clock.run(31 * SEC);
  net.links[1].setUp(false);
  socket.sendTo(new Uint8Array(1), H2, 7);
  net.env.clock.run(31 * SEC + 5 * SEC + 3 * SEC);
  expect(neighbour(net, 0, "10.0.0.3")!.state).toBe(NUD_FAILED);
});

test("answers for every own address, asks with the NIC's address only (arp_announce 2)", () => {
  const net = lan(2);
  const rec = record(net.env);
  const [a, b] = net.hosts;
  b.addAddress(b.lo, ip("1.1.1.1"));
  a.addDeviceRoute(ip("1.1.1.1"), 32, a.nics[0]);
  // b answers from its service address and must ask for a with its NIC's.
  const p = ping(a, ip("1.1.1.1"), { count: 1 });
  net.env.clock.run(SEC);
  expect(p.result.received).toBe(1);
  expect(arps(rec, "h2/eth1")).toEqual([[ARPOP_REPLY, ip("1.1.1.1"), H1, false]]);
  const q = ping(b, ip("10.0.0.77"), { count: 1, source: ip("1.1.1.1") });
  net.env.clock.runUntil(() => q.done, 10 * SEC);
  expect(
    arps(rec, "h2/eth1")
      .slice(1)
      .every(([, spa]) => spa === H2),
  ).toBe(true);
});

test("an announcement updates what is known and adds nothing", () => {
  const net = lan(3);
  ping(net.hosts[0], H2, { count: 1 });
  net.env.clock.run(SEC);
  net.hosts[1].arp(net.hosts[1].nics[0])!.announce();
  net.hosts[2].arp(net.hosts[2].nics[0])!.announce();
  net.env.clock.run(2 * SEC);
  expect(neighbour(net, 0, "10.0.0.3")!.mac).toBe(net.hosts[1].nics[0].mac);
  expect(neighbour(net, 0, "10.0.0.4")).toBeUndefined();
  // Another host takes the address over: the entry follows, to be confirmed when used.
  const skb = net.env.pool.get(42);
  const thief = net.hosts[2].nics[0];
  wrMac(skb.buf, skb.head, MAC_BROADCAST);
  wrMac(skb.buf, skb.head + 6, thief.mac);
  skb.buf[skb.head + 12] = 8;
  skb.buf[skb.head + 13] = 6;
  writeArp(skb.buf, skb.head + 14, ARPOP_REQUEST, thief.mac, H2, 0, H2);
  thief.transmit(skb);
  net.env.clock.run(3 * SEC);
  expect(neighbour(net, 0, "10.0.0.3")!.mac).toBe(thief.mac);
  expect(neighbour(net, 0, "10.0.0.3")!.state).toBe(NUD_STALE);
});
