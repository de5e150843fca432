import { describe, expect, test } from "vitest";
import { Bridge } from "../../src/sim/bridge.ts";
import { SimEnv } from "../../src/sim/env.ts";
import { Host } from "../../src/sim/host.ts";
import { ping } from "../../src/sim/ping.ts";
import { L4_OFFSET, MS, SEC } from "../../src/sim/types.ts";
import { ipv4ChecksumOk } from "../../src/wire/checksum.ts";
import { ETH_P_IP, ethType } from "../../src/wire/ethernet.ts";
import { IPPROTO_UDP, ipDaddr, ipFragOff, ipId, ipSaddr, ipTtl, writeIpv4 } from "../../src/wire/ipv4.ts";
import { writeUdp } from "../../src/wire/udp.ts";
import { ip, lan, plug, type Recorder, record } from "./network.ts";

/** client 10.0.0.2 - router .1 | 10.0.1.1 - server 10.0.1.2; the right side's MTU is given. */
function routed(mtu = 1500, seed = 1) {
  const env = new SimEnv(seed);
  const net = { env };
  const left = new Bridge(env, "left");
  const right = new Bridge(env, "right");
  const client = new Host(env, "client");
  const router = new Host(env, "router");
  const server = new Host(env, "server");
  plug(net, left, client.addNic("eth1", ip("10.0.0.2"), 24));
  plug(net, left, router.addNic("eth1", ip("10.0.0.1"), 24));
  plug(net, right, router.addNic("eth2", ip("10.0.1.1"), 24, mtu));
  plug(net, right, server.addNic("eth1", ip("10.0.1.2"), 24, mtu));
  router.ip.settings.ipForward = true;
  client.addRoute(0, 0, ip("10.0.0.1"));
  server.addRoute(0, 0, ip("10.0.1.1"));
  return { env, client, router, server, rec: record(env) };
}

const sent = (rec: Recorder, nic: string) =>
  rec.packets
    .filter((p) => p.nic === nic && p.direction === "out" && ethType(p.frame, 0) === ETH_P_IP)
    .map((p) => p.frame);

/** A raw UDP packet from `host`; fields by choice. */
function raw(host: Host, saddr: number, daddr: number, opts: { ttl?: number; word?: number; len?: number } = {}): void {
  const len = opts.len ?? 20;
  const skb = host.ip.allocate(8 + len);
  const off = skb.head + L4_OFFSET;
  skb.buf.fill(0, off, skb.end);
  writeUdp(skb.buf, off, 1000, 2000, len, saddr, daddr);
  writeIpv4(skb.buf, skb.head + 14, 28 + len, 77, opts.word ?? 0, opts.ttl ?? 64, IPPROTO_UDP, saddr, daddr);
  host.ip.outputRaw(skb);
}

describe("sending", () => {
  test("a packet without a route is dropped under its own addresses, whatever its buffer held before", () => {
    const { env, router, client } = routed();
    let frame: Uint8Array | undefined;
    env.tap = {
      onPacket() {},
      onHook() {},
      onDrop: (_where, _reason, _at, skb) => {
        frame = skb.frame();
      },
    };
    raw(client, ip("10.0.0.2"), ip("10.0.0.1"));
    env.clock.run(SEC);
    const skb = router.ip.allocate(16);
    skb.buf.fill(0xaa, skb.head, skb.end);
    expect(router.ip.output(skb, ip("10.0.0.1"), ip("9.9.9.9"), IPPROTO_UDP, false)).toBe(false);
    expect(frame).toBeDefined();
    expect([ipSaddr(frame!, 14), ipDaddr(frame!, 14)]).toEqual([ip("10.0.0.1"), ip("9.9.9.9")]);
    expect(ipv4ChecksumOk(frame!, 14)).toBe(true);
  });
});

describe("forwarding", () => {
  test("lowers the TTL by one, leaves the ID, and keeps the header checksum right", () => {
    const { env, client, server, rec } = routed();
    let got = 0;
    server.udp.bind(0, 2000, () => got++);
    raw(client, ip("10.0.0.2"), ip("10.0.1.2"), { ttl: 9 });
    env.clock.run(SEC);
    expect(got).toBe(1);
    const [frame] = sent(rec, "router/eth2");
    expect([ipTtl(frame, 14), ipId(frame, 14)]).toEqual([8, 77]);
  });

  test("a TTL that runs out is answered by the router, also over more than one hop", () => {
    const { env, client, rec } = routed();
    const errors: unknown[] = [];
    client.icmp.listen({ reply: () => {}, error: (...e) => errors.push(e) });
    client.ip.settings.defaultTtl = 1;
    const p = ping(client, ip("10.0.1.2"), { count: 1 });
    env.clock.run(SEC);
    expect(p.result.errors).toEqual([{ seq: 1, type: 11, code: 0, mtu: 0, from: ip("10.0.0.1") }]);
    expect(rec.drops.map((d) => [d.at, d.reason])).toEqual([["router", "the TTL has run out"]]);
  });

  test("a host that does not forward drops silently", () => {
    const { env, client, router, rec } = routed();
    router.ip.settings.ipForward = false;
    const p = ping(client, ip("10.0.1.2"), { count: 1 });
    env.clock.run(2 * SEC);
    expect([p.result.received, p.result.errors]).toEqual([0, []]);
    expect(rec.drops.map((d) => d.at)).toEqual(["router"]);
  });

  test("no route: network unreachable; a next hop that does not answer: host unreachable", () => {
    const { env, client, rec } = routed();
    const none = ping(client, ip("9.9.9.9"), { count: 1, timeoutNs: 10 * SEC });
    const dead = ping(client, ip("10.0.1.99"), { count: 1, timeoutNs: 10 * SEC });
    env.clock.run(20 * SEC);
    expect(none.result.errors.map((e) => [e.code, e.from])).toEqual([[0, ip("10.0.0.1")]]);
    expect(dead.result.errors.map((e) => [e.code, e.from])).toEqual([[1, ip("10.0.0.1")]]);
    expect(rec.drops.length).toBe(2);
    expect(env.pool.outstanding).toBe(0);
  });

  test("prohibit, unreachable and blackhole routes answer 13, 1 and nothing", () => {
    const { env, client, router } = routed();
    router.fib.addRoute({ prefix: ip("8.1.0.0"), len: 16, type: "prohibit" });
    router.fib.addRoute({ prefix: ip("8.2.0.0"), len: 16, type: "unreachable" });
    router.fib.addRoute({ prefix: ip("8.3.0.0"), len: 16, type: "blackhole" });
    const pings = ["8.1.1.1", "8.2.1.1", "8.3.1.1"].map((a) => ping(client, ip(a), { count: 1 }));
    env.clock.run(2 * SEC);
    expect(pings.map((p) => p.result.errors.map((e) => e.code))).toEqual([[13], [1], []]);
  });

  test("a change of routes takes effect at once", () => {
    const { env, client, router } = routed();
    const before = ping(client, ip("10.0.1.2"), { count: 1 });
    env.clock.run(SEC);
    router.fib.addRoute({ prefix: ip("10.0.1.2"), len: 32, type: "prohibit" });
    const after = ping(client, ip("10.0.1.2"), { count: 1 });
    env.clock.run(3 * SEC);
    expect([before.result.received, after.result.received]).toEqual([1, 0]);
  });

  test("no errors about errors, later fragments, or senders that are not one host", () => {
    const { env, client, router } = routed();
    // ICMP time exceeded to nowhere.
    const skb = client.ip.allocate(36);
    skb.buf.fill(0, skb.head, skb.end);
    skb.buf[skb.head + L4_OFFSET] = 11;
    client.ip.output(skb, 0, ip("9.9.9.9"), 1, false);
    raw(client, ip("10.0.0.2"), ip("9.9.9.9"), { word: 5 });
    raw(client, ip("224.0.0.1"), ip("9.9.9.9"));
    raw(client, 0, ip("9.9.9.9"));
    env.clock.run(SEC);
    expect(router.icmp.errorsSent).toBe(0);
    raw(client, ip("10.0.0.2"), ip("9.9.9.9"), { word: 0x2000 });
    env.clock.run(2 * SEC);
    expect(router.icmp.errorsSent).toBe(1);
  });
});

describe("MTU", () => {
  test("DF and too big: the router names its MTU, and the sender's path MTU follows for ten minutes", () => {
    const { env, client } = routed(1000);
    const first = ping(client, ip("10.0.1.2"), { count: 1, size: 1200, df: true });
    env.clock.run(SEC);
    expect(first.result.errors).toEqual([{ seq: 1, type: 3, code: 4, mtu: 1000, from: ip("10.0.0.1") }]);
    expect(client.ip.pathMtu(ip("10.0.1.2"))).toBe(1000);
    // Now it is refused before it is sent.
    const second = ping(client, ip("10.0.1.2"), { count: 1, size: 973, df: true });
    const third = ping(client, ip("10.0.1.2"), { count: 1, size: 972, df: true });
    env.clock.run(2 * SEC);
    expect(second.result.errors.map((e) => e.type)).toEqual([-1]);
    expect(third.result.received).toBe(1);
    client.addRoute(ip("7.0.0.0"), 8, ip("10.0.0.1"));
    expect(client.ip.pathMtu(ip("10.0.1.2"))).toBe(1000);
    env.clock.run(599 * SEC);
    expect(client.ip.pathMtu(ip("10.0.1.2"))).toBe(1000);
    env.clock.run(602 * SEC);
    expect(client.ip.pathMtu(ip("10.0.1.2"))).toBe(1500);
  });

  test("over lo no packet is larger than its total length can say", () => {
    const { env, client } = routed(1000);
    expect(client.ip.pathMtu(ip("127.0.0.1"))).toBe(65_535);
    const most = ping(client, ip("127.0.0.1"), { count: 1, size: 65_535 - 28, df: true });
    const more = ping(client, ip("127.0.0.1"), { count: 1, size: 65_536 - 28, df: true });
    env.clock.run(SEC);
    expect([most.result.received, more.result.received]).toEqual([1, 0]);
  });

  test("without DF the router fragments and the receiver puts together, both ways", () => {
    const { env, client, server, rec } = routed(1000);
    const p = ping(client, ip("10.0.1.2"), { count: 2, size: 4000, intervalNs: 10 * MS });
    env.clock.run(2 * SEC);
    expect(p.result.received).toBe(2);
    expect(sent(rec, "router/eth2").every((f) => f.length <= 1014)).toBe(true);
    expect(sent(rec, "client/eth1").length).toBe(6);
    expect(server.icmp.received).toBe(2);
    expect(env.pool.outstanding).toBe(0);
  });

  test("own packets without DF are cut at the learned path MTU", () => {
    const { env, client, rec } = routed(1000);
    ping(client, ip("10.0.1.2"), { count: 1, size: 1200, df: true });
    env.clock.run(SEC);
    const before = sent(rec, "client/eth1").length;
    const p = ping(client, ip("10.0.1.2"), { count: 1, size: 1200 });
    env.clock.run(2 * SEC);
    expect(p.result.received).toBe(1);
    expect(
      sent(rec, "client/eth1")
        .slice(before)
        .map((f) => f.length),
    ).toEqual([14 + 20 + 976, 14 + 20 + 232]);
  });

  test("a path MTU below 552 is not believed; packets then go without DF", () => {
    const { env, client, rec } = routed(400);
    ping(client, ip("10.0.1.2"), { count: 1, size: 1000, df: true });
    env.clock.run(SEC);
    expect(client.ip.pathMtu(ip("10.0.1.2"))).toBe(552);
    const p = ping(client, ip("10.0.1.2"), { count: 1, size: 500, df: true });
    env.clock.run(2 * SEC);
    expect(p.result.received).toBe(1);
    expect(sent(rec, "client/eth1").map((f) => ipFragOff(f, 14))).toEqual([0x4000, 0]);
  });

  test("a datagram whose fragments do not all come: time exceeded after 30 s, and nothing kept", () => {
    const { env, client, server, rec } = routed();
    let error: number[] = [];
    client.ip.register(IPPROTO_UDP, { input: () => {}, icmpError: (type, code) => (error = [type, code]) });
    raw(client, ip("10.0.0.2"), ip("10.0.1.2"), { word: 0x2000, len: 16 });
    env.clock.run(29 * SEC);
    expect(error).toEqual([]);
    env.clock.run(31 * SEC);
    expect(error).toEqual([11, 1]);
    expect(rec.drops.map((d) => d.reason)).toEqual(["not all fragments came within 30 s"]);
    expect(server.ip.delivered).toBe(0);
    expect(env.pool.outstanding).toBe(0);
  });
});

describe("receiving", () => {
  test("any own address on any NIC (weak host), also those on lo; a martian source is dropped", () => {
    const { env, client, router, rec } = routed();
    router.addAddress(router.lo, ip("5.5.5.5"));
    const pings = ["10.0.1.1", "5.5.5.5"].map((a) => ping(client, ip(a), { count: 1 }));
    env.clock.run(SEC);
    expect(pings.map((p) => p.result.received)).toEqual([1, 1]);
    raw(client, ip("10.0.1.1"), ip("5.5.5.5"));
    env.clock.run(2 * SEC);
    expect(rec.drops.map((d) => d.reason)).toEqual(["martian source address"]);
  });

  test("own addresses are reached over lo, from the same address", () => {
    const { env, client } = routed();
    client.addAddress(client.lo, ip("5.5.5.5"));
    const rec = record(env);
    const pings = ["127.0.0.1", "10.0.0.2", "5.5.5.5"].map((a) => ping(client, ip(a), { count: 1, size: 5000 }));
    env.clock.run(SEC);
    expect(pings.map((p) => p.result.rttNs)).toEqual([[0], [0], [0]]);
    expect(rec.packets).toEqual([]);
    expect(client.ip.sourceFor(ip("5.5.5.5"))).toBe(ip("5.5.5.5"));
  });

  test("damaged packets are dropped with their reason and never throw", () => {
    const { env, hosts } = lan(2, { corrupt: 1 });
    const rec = record(env);
    const pings = Array.from({ length: 300 }, () => ping(hosts[0], ip("10.0.0.3"), { count: 1 }));
    env.clock.run(10 * SEC);
    expect(pings.every((p) => p.done)).toBe(true);
    expect(rec.drops.length).toBeGreaterThan(0);
    expect(env.pool.outstanding).toBe(0);
  });

  test("a protocol that nobody handles: protocol unreachable; a broadcast is not answered", () => {
    const { env, client, router } = routed();
    const send = (daddr: number): void => {
      const skb = client.ip.allocate(8);
      skb.buf.fill(0, skb.head, skb.end);
      writeIpv4(skb.buf, skb.head + 14, 28, 1, 0, 64, 99, ip("10.0.0.2"), daddr);
      client.ip.outputRaw(skb);
    };
    send(ip("10.0.0.1"));
    env.clock.run(SEC);
    expect(router.icmp.errorsSent).toBe(1);
    const p = ping(client, ip("10.0.0.255"), { count: 1 });
    env.clock.run(3 * SEC);
    expect(p.result.errors.map((e) => e.type)).toEqual([-1]);
    expect(router.icmp.errorsSent).toBe(1);
  });
});

test("the same seed gives the same bytes, another seed others", () => {
  const run = (seed: number) => {
    const { env, client, rec } = routed(1000, seed);
    ping(client, ip("10.0.1.2"), { count: 5, size: 2000 });
    env.clock.run(10 * SEC);
    return rec.packets.map((p) => Buffer.from(p.frame).toString("hex"));
  };
  expect(run(1)).toEqual(run(1));
  expect(run(1)).not.toEqual(run(2));
});
