import { expect, test } from "vitest";
import { skbFrom } from "../../src/dataplane/skb.ts";
import { Bridge } from "../../src/sim/bridge.ts";
import { SimEnv } from "../../src/sim/env.ts";
import { Host } from "../../src/sim/host.ts";
import { ping } from "../../src/sim/ping.ts";
import { SEC } from "../../src/sim/types.ts";
import { MAC_BROADCAST, type Mac, wrMac } from "../../src/wire/ethernet.ts";
import { ip, lan, record } from "./network.ts";

/** A bridge whose ports note the numbers of the frames that leave by them. */
function bridge(ports: number) {
  const env = new SimEnv();
  const br = new Bridge(env, "br");
  const left: number[][] = [];
  for (let i = 0; i < ports; i++) {
    const seen: number[] = [];
    left.push(seen);
    br.addPort().out = {
      send: (skb) => {
        seen.push(skb.buf[skb.head + 14]);
        env.pool.put(skb);
      },
    };
  }
  const send = (port: number, src: Mac, dst: Mac, n: number): void => {
    const frame = new Uint8Array(15);
    wrMac(frame, 0, dst);
    wrMac(frame, 6, src);
    frame[14] = n;
    const skb = env.pool.get(15);
    skb.setFrame(frame);
    br.ports[port].deliver(skb);
  };
  return { env, br, left, send };
}

const A = 0x020000000001;
const B = 0x020000000002;

test("unknown addresses and broadcasts go everywhere else, known ones to their port only", () => {
  const { left, send, env } = bridge(3);
  send(0, A, B, 1);
  expect(left).toEqual([[], [1], [1]]);
  send(1, B, A, 2);
  expect(left).toEqual([[2], [1], [1]]);
  send(0, A, B, 3);
  expect(left).toEqual([[2], [1, 3], [1]]);
  send(2, 0x020000000003, MAC_BROADCAST, 4);
  expect(left).toEqual([[2, 4], [1, 3, 4], [1]]);
  expect(env.pool.outstanding).toBe(0);
});

test("an address that moves is found behind its new port; a frame back to where it came from is dropped", () => {
  const { left, send, env } = bridge(3);
  send(0, A, MAC_BROADCAST, 1);
  send(2, A, MAC_BROADCAST, 2);
  send(1, B, A, 3);
  expect(left).toEqual([[2], [1, 2], [1, 3]]);
  const rec = record(env);
  send(2, B, A, 4);
  expect(left[2]).toEqual([1, 3]);
  expect(rec.drops.map((d) => d.where)).toEqual(["bridge"]);
});

test("addresses are forgotten after 300 s without a frame", () => {
  const { env, left, send } = bridge(3);
  send(0, A, MAC_BROADCAST, 1);
  env.clock.run(299 * SEC);
  send(1, B, A, 2);
  expect(left[2]).toEqual([1]);
  env.clock.run(300 * SEC);
  send(1, B, A, 3);
  expect(left[2]).toEqual([1, 3]);
});

test("a group address as sender is not learned", () => {
  const { send, br } = bridge(2);
  send(0, 0x030000000001, B, 1);
  const mac = new Uint8Array(6);
  wrMac(mac, 0, 0x030000000001);
  expect(br.portOf(mac, 0)).toBe(-1);
});

test("a thousand ports: every address is found again", () => {
  const { br, send } = bridge(1000);
  for (let i = 0; i < 1000; i++) send(i, 0x0242ac010000 + i, 0x0242ac010000 + ((i + 999) % 1000), 0);
  const mac = new Uint8Array(6);
  for (let i = 0; i < 1000; i++) {
    wrMac(mac, 0, 0x0242ac010000 + i);
    expect(br.portOf(mac, 0)).toBe(i);
  }
});

test("the bridge's own address answers pings and has no way out of its network", () => {
  const { env, bridge: br, hosts } = lan(2);
  const gateway = new Host(env, "gateway");
  br.attachLocal(gateway.addNic("br0", ip("10.0.0.1"), 24));
  gateway.ip.settings.ipForward = true;
  hosts[0].addRoute(0, 0, ip("10.0.0.1"));
  const near = ping(hosts[0], ip("10.0.0.1"), { count: 1 });
  const far = ping(hosts[0], ip("9.9.9.9"), { count: 1 });
  env.clock.run(5 * SEC);
  expect(near.result.received).toBe(1);
  expect(far.result.errors.map((e) => [e.type, e.code, e.from])).toEqual([[3, 0, ip("10.0.0.1")]]);
  expect(env.pool.outstanding).toBe(0);
});

test("a flooded frame that one receiver changes stays as it was for the others", () => {
  const { env, hosts, links } = lan(4);
  // The first request is a broadcast; on one of the links it is damaged.
  links[1].setProps({ corrupt: 1 }, "ba");
  const rec = record(env);
  ping(hosts[0], ip("10.0.0.4"), { count: 1 });
  env.clock.run(SEC / 1000);
  const seen = (n: number) => rec.packets.filter((p) => p.nic === `h${n}/eth1` && p.direction === "in")[0].frame;
  const asked = rec.packets[0].frame;
  expect(seen(2)).not.toEqual(asked);
  expect(seen(3)).toEqual(asked);
  expect(seen(4)).toEqual(asked);
  env.clock.run(SEC);
  expect(env.pool.outstanding).toBe(0);
});

test("a frame without a whole MAC header is dropped", () => {
  const { br, env } = bridge(2);
  const rec = record(env);
  br.ports[0].deliver(skbFrom(new Uint8Array(13)));
  expect(rec.drops.length).toBe(1);
});
