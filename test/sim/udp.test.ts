import { describe, expect, test } from "vitest";
import { SEC } from "../../src/sim/types.ts";
import { EPHEMERAL_MAX, EPHEMERAL_MIN } from "../../src/sim/udp.ts";
import { UdpEcho } from "../../src/sim/udp-echo.ts";
import { rd16 } from "../../src/wire/bytes.ts";
import { l4ChecksumOk } from "../../src/wire/checksum.ts";
import { IP_DF, ipFragOff } from "../../src/wire/ipv4.ts";
import { ip, lan, record } from "./network.ts";

const A = ip("10.0.0.2");
const B = ip("10.0.0.3");
const text = (buf: Uint8Array, off: number, len: number) => new TextDecoder().decode(buf.subarray(off, off + len));
const bytes = (s: string) => new TextEncoder().encode(s);

describe("sockets", () => {
  test("a datagram and its answer, checksums right on the wire", () => {
    const { env, hosts } = lan(2);
    const rec = record(env);
    const got: unknown[] = [];
    const server = hosts[1].udp.bind(0, 53, (buf, off, len, saddr, sport, daddr) => {
      got.push([text(buf, off, len), saddr, sport, daddr]);
      server.sendTo(bytes("pong!"), saddr, sport);
    })!;
    const client = hosts[0].udp.bind(0, 0, (buf, off, len, saddr, sport) =>
      got.push([text(buf, off, len), saddr, sport]),
    )!;
    expect(client.port).toBeGreaterThanOrEqual(EPHEMERAL_MIN);
    expect(client.port).toBeLessThanOrEqual(EPHEMERAL_MAX);
    expect(client.sendTo(bytes("ping"), B, 53)).toBe("ok");
    env.clock.run(SEC);
    expect(got).toEqual([
      ["ping", A, client.port, B],
      ["pong!", B, 53],
    ]);
    const frames = rec.packets.filter((p) => p.direction === "out" && rd16(p.frame, 12) === 0x800).map((p) => p.frame);
    expect(frames.length).toBe(2);
    for (const f of frames) expect(l4ChecksumOk(f, 14, 34, f.length - 34, 17)).toBe(true);
  });

  test("one port, several addresses: the most exact socket gets it; a clash is refused", () => {
    const { env, hosts } = lan(2);
    const [a, b] = hosts;
    b.addAddress(b.lo, ip("2.2.2.2"));
    a.addRoute(ip("2.2.2.2"), 32, B);
    const got: string[] = [];
    expect(b.udp.bind(B, 7, () => got.push("nic"))).toBeDefined();
    expect(b.udp.bind(ip("2.2.2.2"), 7, () => got.push("lo"))).toBeDefined();
    expect(b.udp.bind(B, 7)).toBeUndefined();
    expect(b.udp.bind(0, 7)).toBeUndefined();
    const any = b.udp.bind(0, 8, () => got.push("any"))!;
    expect(b.udp.bind(B, 8)).toBeUndefined();
    const s = a.udp.bind(0, 0)!;
    for (const [addr, port] of [
      [B, 7],
      [ip("2.2.2.2"), 7],
      [ip("2.2.2.2"), 8],
    ]) {
      s.sendTo(bytes("x"), addr, port);
      env.clock.run(env.clock.now + SEC);
    }
    expect(got).toEqual(["nic", "lo", "any"]);
    any.close();
    expect(b.udp.bind(B, 8)).toBeDefined();
  });

  test("a connected socket hears its peer only", () => {
    const { env, hosts } = lan(3);
    const got: number[] = [];
    const s = hosts[0].udp.bind(0, 9000, (_b, _o, _l, saddr) => got.push(saddr))!;
    s.connect(B, 9000);
    for (const h of [hosts[1], hosts[2]]) h.udp.bind(0, 9000)!.sendTo(bytes("x"), A, 9000);
    env.clock.run(SEC);
    expect(got).toEqual([B]);
    expect(hosts[0].icmp.errorsSent).toBe(1);
  });

  test("ephemeral ports are each given once until they run out", () => {
    const { hosts } = lan(1);
    const ports = new Set<number>();
    const n = EPHEMERAL_MAX - EPHEMERAL_MIN + 1;
    for (let i = 0; i < n; i++) ports.add(hosts[0].udp.bind(0, 0)!.port);
    expect(ports.size).toBe(n);
    expect(hosts[0].udp.bind(0, 0)).toBeUndefined();
  });
});

describe("errors", () => {
  test("nobody listens: a connected sender is refused at its next send, once; others hear nothing", () => {
    const { env, hosts } = lan(2);
    const connected = hosts[0].udp.bind(0, 0)!;
    connected.connect(B, 4242);
    const loose = hosts[0].udp.bind(0, 0)!;
    expect(connected.send(bytes("x"))).toBe("ok");
    expect(loose.sendTo(bytes("x"), B, 4242)).toBe("ok");
    env.clock.run(SEC);
    expect(connected.send(bytes("x"))).toBe("ECONNREFUSED");
    expect(connected.send(bytes("x"))).toBe("ok");
    expect(loose.takeError()).toBe("ok");
  });

  test("who waits for an answer hears of the error at once, and once", () => {
    const { env, hosts } = lan(2);
    const s = hosts[0].udp.bind(0, 0)!;
    const heard: [string, number][] = [];
    s.onError = (error) => heard.push([error, env.clock.now]);
    s.connect(B, 4242);
    s.send(bytes("x"));
    env.clock.run(SEC);
    expect(heard.map(([error]) => error)).toEqual(["ECONNREFUSED"]);
    expect(heard[0][1]).toBeLessThan(SEC);
    expect(s.send(bytes("x"))).toBe("ok");
  });

  test("no route, and a neighbour that does not answer", () => {
    const { env, hosts } = lan(2);
    const s = hosts[0].udp.bind(0, 0)!;
    expect(s.sendTo(bytes("x"), ip("9.9.9.9"), 1)).toBe("ENETUNREACH");
    s.connect(ip("10.0.0.77"), 1);
    expect(s.send(bytes("x"))).toBe("ok");
    env.clock.run(10 * SEC);
    // Host unreachable is a soft error, which a socket without IP_RECVERR does not hear of.
    expect(s.takeError()).toBe("ok");
  });

  test("DF beyond the path MTU is EMSGSIZE; without, the datagram is cut and arrives", () => {
    const { env, hosts } = lan(2);
    const sizes: number[] = [];
    hosts[1].udp.bind(0, 7, (_b, _o, len) => sizes.push(len));
    const rec = record(env);
    const s = hosts[0].udp.bind(0, 0)!;
    s.pmtuMode = "do";
    expect(s.sendTo(new Uint8Array(1473), B, 7)).toBe("EMSGSIZE");
    expect(s.sendTo(new Uint8Array(1472), B, 7)).toBe("ok");
    s.pmtuMode = "want";
    expect(s.sendTo(new Uint8Array(1473), B, 7)).toBe("ok");
    s.pmtuMode = "dont";
    expect(s.sendTo(new Uint8Array(100), B, 7)).toBe("ok");
    expect(s.sendTo(new Uint8Array(65_507), B, 7)).toBe("ok");
    expect(s.sendTo(new Uint8Array(65_508), B, 7)).toBe("EMSGSIZE");
    env.clock.run(SEC);
    expect(sizes).toEqual([1472, 1473, 100, 65_507]);
    const words = rec.packets
      .filter((p) => p.nic === "h1/eth1" && p.direction === "out" && rd16(p.frame, 12) === 0x800)
      .slice(0, 4)
      .map((p) => ipFragOff(p.frame, 14));
    expect(words).toEqual([IP_DF, 0x2000, 185, 0]);
    expect(env.pool.outstanding).toBe(0);
  });

  test("fragmentation needed on the way: EMSGSIZE to a connected sender with DF, and the smaller size succeeds", () => {
    const { env, hosts } = lan(3);
    const [a, router, b] = hosts;
    // The way back to b's second address leads by a narrower NIC of the router.
    b.addAddress(b.lo, ip("1.1.1.1"));
    a.addRoute(ip("1.1.1.1"), 32, router.nics[0].addr);
    router.addRoute(ip("1.1.1.1"), 32, b.nics[0].addr);
    router.ip.settings.ipForward = true;
    router.nics[0].mtu = 1448;
    const sizes: number[] = [];
    b.udp.bind(0, 7, (_b, _o, len) => sizes.push(len));
    const s = a.udp.bind(0, 0)!;
    s.pmtuMode = "do";
    s.connect(ip("1.1.1.1"), 7);
    expect(s.send(new Uint8Array(1448))).toBe("ok");
    env.clock.run(SEC);
    expect(s.send(new Uint8Array(1448))).toBe("EMSGSIZE");
    expect(s.send(new Uint8Array(1421))).toBe("EMSGSIZE");
    expect(s.send(new Uint8Array(1420))).toBe("ok");
    env.clock.run(2 * SEC);
    expect(sizes).toEqual([1420]);
  });

  test("wrong checksum: dropped; checksum 0: taken", () => {
    const { env, hosts } = lan(2);
    const rec = record(env);
    let got = 0;
    hosts[1].udp.bind(0, 7, () => got++);
    for (const check of [0, 0x1234]) {
      const skb = hosts[0].ip.allocate(9);
      const off = skb.head + 34;
      skb.buf.set([0, 9, 0, 7, 0, 9, check >> 8, check & 255, 65], off);
      hosts[0].ip.output(skb, 0, B, 17, false);
    }
    env.clock.run(SEC);
    expect(got).toBe(1);
    expect(rec.drops.map((d) => d.reason)).toEqual(["wrong UDP checksum"]);
  });
});

describe("echo service", () => {
  test("says who answers, in the size that is asked for", () => {
    const { env, hosts } = lan(2);
    const opts = { host: "h2", id: "200", addr: 0, port: 4000, endpoint: "10.0.0.3:4000" };
    const echo = UdpEcho.start(hosts[1].udp, opts)!;
    expect(UdpEcho.start(hosts[1].udp, opts)).toBeUndefined();
    const got: string[] = [];
    const s = hosts[0].udp.bind(0, 0, (buf, off, len) => got.push(text(buf, off, len)))!;
    for (const request of ["hello", "10", "60 please", "3000", "7x"]) s.sendTo(bytes(request), B, 4000);
    env.clock.run(SEC);
    const who = "HELLO '200' from 'h2' listening on 10.0.0.3:4000";
    expect(got).toEqual([who, who.slice(0, 10), who.padEnd(60, "."), who.padEnd(3000, "."), who]);
    expect(echo.answered).toBe(5);
    echo.stop();
    s.connect(B, 4000);
    s.send(bytes("x"));
    env.clock.run(2 * SEC);
    expect(s.takeError()).toBe("ECONNREFUSED");
  });
});
