/** Hosts with netfilter: the NAT box of the demo between two networks. */
import { expect, test } from "vitest";
import { applyIptables, parseIptables } from "../../src/dataplane/iptables.ts";
import { Bridge } from "../../src/sim/bridge.ts";
import { SimEnv } from "../../src/sim/env.ts";
import { Host } from "../../src/sim/host.ts";
import { ping } from "../../src/sim/ping.ts";
import { SEC } from "../../src/sim/types.ts";
import { rd16 } from "../../src/wire/bytes.ts";
import { ip, plug, record } from "./network.ts";

const rule = (host: Host, text: string) => applyIptables(host.netfilter, parseIptables(text.split(" ")));

/** outside 172.1.0.2 - (eth1 172.1.0.5) nat (eth2 172.2.0.2) - inside 172.2.0.3 */
function natted(outsideMtu = 1500) {
  const env = new SimEnv();
  const net = { env };
  const pub = new Bridge(env, "public");
  const priv = new Bridge(env, "private");
  const outside = new Host(env, "outside");
  const nat = new Host(env, "nat");
  const inside = new Host(env, "inside");
  plug(net, pub, outside.addNic("eth1", ip("172.1.0.2"), 16, outsideMtu));
  plug(net, pub, nat.addNic("eth1", ip("172.1.0.5"), 16, outsideMtu));
  plug(net, priv, nat.addNic("eth2", ip("172.2.0.2"), 16));
  plug(net, priv, inside.addNic("eth1", ip("172.2.0.3"), 16));
  inside.addRoute(ip("172.1.0.0"), 16, ip("172.2.0.2"));
  nat.ip.settings.ipForward = true;
  rule(nat, "-t nat -A POSTROUTING -o eth1 -j MASQUERADE");
  rule(nat, "-P FORWARD DROP");
  rule(nat, "-A FORWARD -i eth2 -o eth1 -j ACCEPT");
  rule(nat, "-A FORWARD -i eth1 -o eth2 -m state --state RELATED,ESTABLISHED -j ACCEPT");
  return { env, outside, nat, inside, rec: record(env) };
}

test("UDP and ping from inside come from the box's address, and answers find back", () => {
  const { env, outside, inside } = natted();
  const seen: [number, number][] = [];
  const server = outside.udp.bind(0, 53, (_b, _o, _l, saddr, sport) => {
    seen.push([saddr, sport]);
    server.sendTo(new Uint8Array(3), saddr, sport);
  })!;
  let answers = 0;
  const client = inside.udp.bind(0, 5353, () => answers++)!;
  client.sendTo(new Uint8Array(5), ip("172.1.0.2"), 53);
  const p = ping(inside, ip("172.1.0.2"), { count: 2 });
  env.clock.run(5 * SEC);
  expect(seen).toEqual([[ip("172.1.0.5"), 5353]]);
  expect([answers, p.result.received]).toEqual([1, 2]);
  expect(env.pool.outstanding).toBe(0);
});

test("fragments are put together before translation and cut again behind it", () => {
  const { env, inside, nat } = natted(1000);
  const p = ping(inside, ip("172.1.0.2"), { count: 1, size: 5000 });
  env.clock.run(5 * SEC);
  expect(p.result.received).toBe(1);
  expect(nat.ip.forwarded).toBe(2);
  expect(env.pool.outstanding).toBe(0);
});

test("what was put together goes on in pieces no larger than it came, though larger ones would fit", () => {
  const { env, inside, nat, rec } = natted();
  inside.nics[0].mtu = 600;
  const p = ping(inside, ip("172.1.0.2"), { count: 1, size: 1200 });
  env.clock.run(5 * SEC);
  expect(p.result.received).toBe(1);
  expect(nat.ip.forwarded).toBe(2);
  const sizes = (direction: string, nic: string) =>
    rec.packets
      .filter((r) => r.nic === nic && r.direction === direction && rd16(r.frame, 12) === 0x800)
      .map((r) => rd16(r.frame, 16));
  // 1,228 bytes in steps of 576 behind each header; the answer comes whole and is not cut.
  expect(sizes("in", "nat/eth2")).toEqual([596, 596, 76]);
  expect(sizes("out", "nat/eth1")).toEqual([596, 596, 76]);
  expect(sizes("out", "nat/eth2")).toEqual([1228]);
});

test("unasked-for packets to the inside are dropped by the rule that says so", () => {
  const { env, outside, rec } = natted();
  outside.addRoute(ip("172.2.0.0"), 16, ip("172.1.0.5"));
  const p = ping(outside, ip("172.2.0.3"), { count: 1 });
  env.clock.run(5 * SEC);
  expect(p.result.received).toBe(0);
  expect(rec.drops.map((d) => [d.where, d.at])).toEqual([["netfilter", "nat"]]);
});

test("errors about a translated packet reach the sender inside, in its own terms", () => {
  const { env, inside, nat, outside } = natted(1000);
  const socket = inside.udp.bind(0, 0)!;
  socket.connect(ip("172.1.0.2"), 4242);
  socket.send(new Uint8Array(5));
  env.clock.run(SEC);
  expect(socket.takeError()).toBe("ECONNREFUSED");
  expect(outside.icmp.errorsSent).toBe(1);
  const big = inside.udp.bind(0, 0)!;
  big.pmtuMode = "do";
  big.connect(ip("172.1.0.2"), 4242);
  expect(big.send(new Uint8Array(1300))).toBe("ok");
  env.clock.run(2 * SEC);
  expect(big.takeError()).toBe("EMSGSIZE");
  expect(nat.icmp.errorsSent).toBe(1);
});

test("a next hop that does not answer: the sender inside hears of it, though its packet was translated already", () => {
  const { env, inside } = natted();
  const p = ping(inside, ip("172.1.0.99"), { count: 1, timeoutNs: 10 * SEC });
  env.clock.run(20 * SEC);
  expect(p.result.errors.map((e) => [e.type, e.code])).toEqual([[3, 1]]);
});

test("DNAT on the box: from outside to a service inside, and over lo it changes nothing", () => {
  const { env, outside, inside, nat } = natted();
  rule(nat, "-t nat -A PREROUTING -p udp -i eth1 -d 172.1.0.5 --dport 80 -j DNAT --to-destination 172.2.0.3:4000");
  rule(nat, "-A FORWARD -i eth1 -o eth2 -j ACCEPT");
  inside.addRoute(0, 0, ip("172.2.0.2"));
  const server = inside.udp.bind(0, 4000, (_b, _o, _l, saddr, sport) => {
    server.sendTo(new Uint8Array(7), saddr, sport);
  })!;
  const got: unknown[] = [];
  const client = outside.udp.bind(0, 0, (_b, _o, len, saddr, sport) => got.push([len, saddr, sport]))!;
  client.sendTo(new Uint8Array(1), ip("172.1.0.5"), 80);
  const local = ping(nat, ip("172.1.0.5"), { count: 1 });
  env.clock.run(5 * SEC);
  expect(got).toEqual([[7, ip("172.1.0.5"), 80]]);
  expect(local.result.received).toBe(1);
});
