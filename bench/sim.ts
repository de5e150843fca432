/** What the simulator costs: events per second of the bare queue, packet-hops per second of a small routed network. */
import { Bridge } from "../src/sim/bridge.ts";
import { Simulation } from "../src/sim/clock.ts";
import { SimEnv } from "../src/sim/env.ts";
import { Host } from "../src/sim/host.ts";
import { Link } from "../src/sim/link.ts";
import type { EventHandler } from "../src/sim/types.ts";
import { csumView } from "../src/wire/checksum.ts";

const EVENTS = 3_000_000;
const DATAGRAMS = 200_000;
const PAYLOAD = 1400;
/** client - bridge - router - bridge - server. */
const HOPS_EACH = 4;

/** Runs a fixed amount of work and prints what it came to. */
export async function benchSim(print: (line: string) => void): Promise<void> {
  benchEvents(Math.floor(EVENTS / 4));
  print(
    `events, 1,000 in the queue: ${rate(
      EVENTS,
      best(() => benchEvents(EVENTS)),
    )} /s   floor (handlers called in turn, no queue) ${rate(
      EVENTS,
      best(() => bareEvents(EVENTS)),
    )} /s`,
  );
  benchHops(Math.floor(DATAGRAMS / 4));
  print(
    `packet-hops, UDP of ${PAYLOAD} bytes through two bridges and a router: ${rate(
      HOPS_EACH * DATAGRAMS,
      best(() => benchHops(DATAGRAMS)),
    )} /s   floor (its copy and checksums only) ${rate(
      HOPS_EACH * DATAGRAMS,
      best(() => bareDatagrams(DATAGRAMS)),
    )} /s`,
  );
}

/** Least of three: the machine is shared. */
const best = (fn: () => number): number => Math.min(fn(), fn(), fn());

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

/** The same thousand handlers, fired one after the other. */
function bareEvents(n: number): number {
  let x = 1;
  const handlers: EventHandler[] = Array.from({ length: 1000 }, () => ({
    fire(arg) {
      x = (Math.imul(x, 1_664_525) + 1_013_904_223 + arg) >>> 0;
    },
  }));
  const start = performance.now();
  for (let i = 0; i < n; i++) handlers[i % 1000].fire(i);
  return x < 0 ? 0 : (performance.now() - start) / 1000;
}

/** What no datagram can do without: its bytes copied once, its checksum made and verified. */
function bareDatagrams(n: number): number {
  const payload = new Uint8Array(PAYLOAD);
  const frame = new Uint8Array(2048);
  const view = new DataView(frame.buffer);
  let sum = 0;
  const start = performance.now();
  for (let i = 0; i < n; i++) {
    frame.set(payload, 64);
    sum += csumView(view, 56, PAYLOAD + 8) + csumView(view, 56, PAYLOAD + 8);
  }
  return sum < 0 ? 0 : (performance.now() - start) / 1000;
}

/** Datagrams over HOPS_EACH links each, sent in bursts of 32; the seconds it took. */
function benchHops(n: number): number {
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
  // ARP is not counted.
  if (env.hops < HOPS_EACH * n) throw new Error(`${env.hops} hops for ${n} datagrams`);
  return seconds;
}
