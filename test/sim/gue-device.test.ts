import { expect, test } from "vitest";
import { FouPort, GUE_DEVICE_OVERHEAD, GueDevice } from "../../src/sim/gue-device.ts";
import { ping } from "../../src/sim/ping.ts";
import { SEC } from "../../src/sim/types.ts";
import { rd16, rd32 } from "../../src/wire/bytes.ts";
import { ipv4ChecksumOk } from "../../src/wire/checksum.ts";
import { ETH_P_IP, ethType } from "../../src/wire/ethernet.ts";
import { IP_DF, ipDaddr, ipFragOff, ipSaddr, ipTtl } from "../../src/wire/ipv4.ts";
import { ip, lan, record } from "./network.ts";

/** Two hosts, each with a fou port and a gue device to the other; 10.9.0.1 and .2 on the devices. */
function tunnel() {
  const net = lan(2);
  const [a, b] = net.hosts;
  const fou = [FouPort.open(a)!, FouPort.open(b)!];
  const da = new GueDevice(a, { name: "gue1", remote: ip("10.0.0.3") });
  const db = new GueDevice(b, { name: "gue1", remote: ip("10.0.0.2"), local: ip("10.0.0.3") });
  a.addAddress(da, ip("10.9.0.1"), 24);
  b.addAddress(db, ip("10.9.0.2"), 24);
  return { ...net, a, b, da, db, fou };
}

test("a ping through the tunnel: 32 bytes in front, checksum 0, TTL 64, DF", () => {
  const { env, a, b, da, db } = tunnel();
  const rec = record(env);
  const p = ping(a, ip("10.9.0.2"), { count: 2 });
  env.clock.run(5 * SEC);
  expect(p.result.received).toBe(2);
  expect([da.txPackets, da.rxPackets, db.txPackets, db.rxPackets]).toEqual([2, 2, 2, 2]);
  const frames = rec.packets
    .filter((x) => x.nic === "h1/eth1" && x.direction === "out" && ethType(x.frame, 0) === ETH_P_IP)
    .map((x) => x.frame);
  const f = frames[0];
  expect([ipSaddr(f, 14), ipDaddr(f, 14), ipTtl(f, 14), ipFragOff(f, 14)]).toEqual([
    a.nics[0].addr,
    b.nics[0].addr,
    64,
    IP_DF,
  ]);
  expect(ipv4ChecksumOk(f, 14)).toBe(true);
  expect([rd16(f, 36), rd16(f, 38), rd16(f, 40)]).toEqual([6080, f.length - 34, 0]);
  expect(rd32(f, 42)).toBe(0x00040000);
  expect([ipSaddr(f, 46), ipDaddr(f, 46)]).toEqual([ip("10.9.0.1"), ip("10.9.0.2")]);
  // One flow keeps its source port.
  expect(new Set(frames.map((x) => rd16(x, 34))).size).toBe(1);
  expect(env.pool.outstanding).toBe(0);
});

test("its MTU leaves room for the headers: more is cut, or refused with DF", () => {
  const { env, a, da } = tunnel();
  expect(da.mtu).toBe(1500 - GUE_DEVICE_OVERHEAD);
  const cut = ping(a, ip("10.9.0.2"), { count: 1, size: 3000 });
  const fits = ping(a, ip("10.9.0.2"), { count: 1, size: 1440, df: true });
  const refused = ping(a, ip("10.9.0.2"), { count: 1, size: 1441, df: true });
  env.clock.run(5 * SEC);
  expect([cut.result.received, fits.result.received]).toEqual([1, 1]);
  expect(refused.result.errors.map((e) => e.type)).toEqual([-1]);
});

test("no fou port: port unreachable; no device for the sender, or not plain GUE: dropped", () => {
  const { env, a, b, db, fou } = tunnel();
  fou[1].close();
  ping(a, ip("10.9.0.2"), { count: 1 });
  env.clock.run(SEC);
  expect(b.icmp.errorsSent).toBe(1);
  expect(FouPort.open(b)).toBeDefined();
  expect(FouPort.open(b)).toBeUndefined();
  db.remove();
  const rec = record(env);
  const p = ping(a, ip("10.9.0.2"), { count: 1 });
  const s = a.udp.bind(0, 0)!;
  for (const bytes of [[], [0, 4, 0, 0], new Uint8Array(60).fill(0x45), [0x25, 1, 0xa0, 0]]) {
    s.sendTo(Uint8Array.from(bytes), ip("10.0.0.3"), 6080);
  }
  env.clock.run(5 * SEC);
  expect(p.result.received).toBe(0);
  expect(rec.drops.map((d) => d.reason).sort()).toEqual([
    "no ipip device for the tunnel's other end",
    ...new Array(4).fill("not a plain GUE packet with IPv4 inside"),
  ]);
  expect(env.pool.outstanding).toBe(0);
});

test("a removed device takes its address and routes along", () => {
  const { a, da } = tunnel();
  expect(a.ip.isLocal(ip("10.9.0.1"))).toBe(true);
  da.remove();
  expect(a.ip.isLocal(ip("10.9.0.1"))).toBe(false);
  expect(a.ip.sourceFor(ip("10.9.0.2"))).toBe(0);
});
