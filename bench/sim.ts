/** What the simulator costs: events per second of the bare queue, packet-hops per second of a small routed network. */
import { Bridge } from "../src/sim/bridge.ts";
import { Simulation } from "../src/sim/clock.ts";
import { SimEnv } from "../src/sim/env.ts";
import { Host } from "../src/sim/host.ts";
import { Link } from "../src/sim/link.ts";
import type { EventHandler } from "../src/sim/types.ts";

const EVENTS = 3_000_000;
const DATAGRAMS = 200_000;
const PAYLOAD = 1400;

/** Runs a fixed amount of work and prints what it came to. */
export async function benchSim(print: (line: string) => void): Promise<void> {
  benchEvents(Math.floor(EVENTS / 4));
  print(`simulator: ${rate(EVENTS, benchEvents(EVENTS))} events/s with 1,000 in the queue`);
  benchHops(Math.floor(DATAGRAMS / 4));
  const { hops, seconds } = benchHops(DATAGRAMS);
  print(
    `simulator: ${rate(hops, seconds)} packet-hops/s (UDP of ${PAYLOAD} bytes through two bridges and a router, all checksums)`,
  );
}

const rate = (n: number, seconds: number): string => Math.round(n / seconds).toLocaleString("en-US");

/** A thousand events that each schedule their successor at a pseudo-random distance. */
function benchEvents(n: number): number {
  const clock = new Simulation();
  let left = n;
  let x = 1;
  const handler: EventHandler = {
    fire() {
      if (left-- <= 0) return;
      x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
      clock.schedule(x >>> 12, handler, 0);
    },
  };
  for (let i = 0; i < 1000; i++) clock.schedule(i, handler, 0);
  const start = performance.now();
  while (clock.step());
  return (performance.now() - start) / 1000;
}

/** client - bridge - router - bridge - server: four hops a datagram, sent in bursts of 32. */
function benchHops(n: number): { hops: number; seconds: number } {
  const env = new SimEnv(1);
  const left = new Bridge(env, "left");
  const right = new Bridge(env, "right");
  const client = new Host(env, "client");
  const router = new Host(env, "router");
  const server = new Host(env, "server");
  const plug = (host: Host, name: string, addr: number, bridge: Bridge): void => {
    new Link(env, `${host.name}/${name}`, host.addNic(name, addr, 24), bridge.addPort());
  };
  plug(client, "eth1", 0x0a000002, left);
  plug(router, "eth1", 0x0a000001, left);
  plug(router, "eth2", 0x0a000101, right);
  plug(server, "eth1", 0x0a000102, right);
  router.ip.settings.ipForward = true;
  client.addRoute(0, 0, 0x0a000001);
  server.addRoute(0, 0, 0x0a000101);
  const sink = server.udp.bind(0, 9)!;
  const socket = client.udp.bind(0, 0)!;
  const payload = new Uint8Array(PAYLOAD);
  let sent = 0;
  const timer = env.clock.timer(() => {
    for (let i = 0; i < 32 && sent < n; i++, sent++) socket.sendTo(payload, 0x0a000102, 9);
    if (sent < n) timer.start(50_000);
  });
  timer.start(0);
  const start = performance.now();
  while (env.clock.step());
  const seconds = (performance.now() - start) / 1000;
  if (sink.received !== n) throw new Error(`${sink.received} of ${n} datagrams arrived`);
  return { hops: env.hops, seconds };
}
