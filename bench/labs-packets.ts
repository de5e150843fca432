/**
 * Packets through the tunnel, by the reference at TAP interfaces and by the eBPF programs at veth pairs, each beside what it
 * costs without.
 *
 * A burst is sent by a socket of egw, and its time runs until node1's interface has had all of it: sending, both hooks,
 * the bridge, and the receiving kernel. The floor of the TAP path is the same loop with no data path at its NICs.
 */
import { readFileSync } from "node:fs";
import type { LinuxLab } from "../src/lab/linux/lab.ts";
import {
  AF_INET,
  bindTo,
  closeSocket,
  connectTo,
  IP_FREEBIND,
  receive,
  SOCK_DGRAM,
  SOL_IP,
  SOL_SOCKET,
  send,
  setOption,
  sockaddrIn,
  socket,
} from "../src/lab/linux/sys.ts";
import type { Topology } from "../src/scenario/topology.ts";
import { type Course, closeCourses, median, openCourses } from "./labs-course.ts";

const BURSTS = 40;
/** Fits the queue of a TAP interface: nothing is lost. */
const BURST = 4000;
const SO_SNDBUFFORCE = 32;
const PAYLOAD = new Uint8Array(100);

/** Packets per second: of all that happens to a packet, and of what happens after it was sent. */
interface Rate {
  all: number;
  loop: number;
}

/** From egw to node1, as they are and through the tunnel; the bursts of all labs take turns. */
export async function packets(topology: Topology, print: (line: string) => void): Promise<void> {
  const courses = await openCourses(topology, "udp");
  const rates = courses.map((): Rate[] => []);
  try {
    for (let i = 0; i < BURSTS; i++) for (const [k, course] of courses.entries()) rates[k].push(await burst(course));
  } finally {
    await closeCourses(courses);
  }
  const [tap, reference, veth, ebpf] = rates;
  const row = (name: string, of: readonly Rate[], base: readonly Rate[], which: keyof Rate): void => {
    const rate = Math.max(...of.map((r) => r[which]));
    const share =
      of === base ? "" : `${(100 * median(of.map((r, i) => r[which] / base[i][which]))).toFixed(0)} % of that`;
    print(`  ${name.padEnd(44)} ${(rate / 1000).toFixed(0).padStart(6)} k packets/s   ${share}`);
  };
  row("TAP loop, no data path (the floor)", tap, tap, "loop");
  row("TAP loop, reference: encap and decap", reference, tap, "loop");
  row("TAP from socket, no data path", tap, tap, "all");
  row("TAP from socket, reference: encap and decap", reference, tap, "all");
  row("veth from socket, no data path", veth, veth, "all");
  row("veth from socket, eBPF: encap and decap", ebpf, veth, "all");
}

async function burst({ name, lab, daddr }: Course): Promise<Rate> {
  const sink = lab.host("node1").ns.enter(() => socket(AF_INET, SOCK_DGRAM, 0));
  const source = lab.host("egw").ns.enter(() => socket(AF_INET, SOCK_DGRAM, 0));
  try {
    setOption(sink, SOL_IP, IP_FREEBIND, 1);
    setOption(source, SOL_SOCKET, SO_SNDBUFFORCE, 1 << 25);
    bindTo(sink, sockaddrIn(daddr, 4000));
    connectTo(source, sockaddrIn(daddr, 4000));
    // Who is next on the way is asked for by the first packet, and meanwhile the kernel keeps few.
    send(source, PAYLOAD);
    await lab.until(() => receive(sink, new Uint8Array(2048)) >= 0, 5e9);
    const before = received(lab);
    const started = performance.now();
    for (let n = 0; n < BURST; n++) send(source, PAYLOAD);
    const sent = performance.now();
    while (received(lab) - before < BURST) {
      if (performance.now() - sent > 5000)
        throw new Error(`${name}: ${received(lab) - before} of ${BURST} packets arrived`);
      await new Promise((next) => setImmediate(next));
    }
    const now = performance.now();
    return { all: BURST / ((now - started) / 1000), loop: BURST / ((now - sent) / 1000) };
  } finally {
    closeSocket(sink);
    closeSocket(source);
  }
}

/** Packets that node1's interface has received. */
function received(lab: LinuxLab): number {
  const text = lab.host("node1").ns.enter(() => readFileSync("/proc/thread-self/net/dev", "utf8"));
  return Number(/eth1:\s*\d+\s+(\d+)/.exec(text)?.[1]);
}
