/**
 * Labs on real Linux: how long they take to come up and go, beside the same topology made by `ip` alone; and packets through
 * the tunnel, by the reference at TAP interfaces and by the eBPF programs at veth pairs, each beside what it costs without.
 *
 * A burst is sent by a socket of egw, and its time runs until node1's interface has had all of it: sending, both hooks,
 * the bridge, and the receiving kernel. The floor of the TAP path is the same loop with no data path at its NICs.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { nodeSha256 } from "../src/cli/execute.ts";
import { run } from "../src/ebpf/exec.ts";
import { LabError } from "../src/errors.ts";
import { openDockerLab } from "../src/lab/docker/lab.ts";
import type { DataPathKind } from "../src/lab/linux/data-path.ts";
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
import { openNetnsLab } from "../src/lab/netns/lab.ts";
import { cfgTopology } from "../src/scenario/cfg.ts";
import { readTextFile } from "../src/scenario/load.ts";
import { parseCommand } from "../src/scenario/parse-command.ts";
import { gatewayRoutes, type Topology } from "../src/scenario/topology.ts";
import { parseState } from "../src/scenario/until.ts";
import { macOf } from "../src/sim/nic.ts";
import { formatMac } from "../src/wire/ethernet.ts";
import { formatIpv4, parseIpv4 } from "../src/wire/ipv4.ts";

type Print = (line: string) => void;

const CFG = fileURLToPath(new URL("../../scenarios/topologies/basic.cfg", import.meta.url));
const ROUNDS = 5;
const BURSTS = 40;
/** Fits the queue of a TAP interface: nothing is lost. */
const BURST = 4000;
const SO_SNDBUFFORCE = 32;
const PAYLOAD = new Uint8Array(100);
const [NODE1, BACKEND] = ["172.1.0.4", "1.1.1.1"].map((a) => parseIpv4(a) as number);

const TUNNEL = [
  "egw pfc_start eth1 egw 11 11 5000 5010",
  "node1 pfc_start eth1 node1 9 8 6000 6010 10",
  "egw pfc_add eth1 1 100 5erv1ceP@55w0rd! 0 0 udp 5.5.5.5 3100 1.1.1.1 4000",
  "node1 pfc_add eth1 1 100 5erv1ceP@55w0rd! 172.1.0.3 5000 udp 5.5.5.5 3100 1.1.1.1 4000",
];

export async function benchLabs(print: Print): Promise<void> {
  const topology = cfgTopology(CFG, readTextFile(CFG), readTextFile);
  try {
    await comingUp(topology, print);
    print("");
    await packets(topology, print);
  } catch (err) {
    if (!(err instanceof LabError)) throw err;
    print(`  not measured: ${err.message}`);
  }
}

const open = (topology: Topology, dataPath: DataPathKind): Promise<LinuxLab> =>
  openNetnsLab(topology, { prefix: "bench", dataPath, sha256: nodeSha256 });

const best = (times: readonly number[]): number => Math.min(...times);

/** Set-up and teardown, best of some rounds taken in turns. */
async function comingUp(topology: Topology, print: Print): Promise<void> {
  const plain = { up: [] as number[], down: [] as number[] };
  const labs = (["ebpf", "reference"] as const).map((dataPath) => ({
    dataPath,
    up: [] as number[],
    down: [] as number[],
  }));
  for (let i = 0; i < ROUNDS; i++) {
    const started = performance.now();
    const names = plainIp(topology);
    const up = performance.now();
    run("ERR_IP", "ip", ["-batch", "-"], names.map((n) => `netns del ${n}\n`).join(""));
    plain.up.push(up - started);
    plain.down.push(performance.now() - up);
    for (const lab of labs) {
      const from = performance.now();
      const opened = await open(topology, lab.dataPath);
      const isUp = performance.now();
      await opened.close();
      lab.up.push(isUp - from);
      lab.down.push(performance.now() - isUp);
    }
  }
  const row = (name: string, { up, down }: { up: number[]; down: number[] }): void =>
    print(
      `  ${name.padEnd(24)} set-up ${best(up).toFixed(0).padStart(5)} ms  ${(best(up) / best(plain.up)).toFixed(2)} x ip   teardown ${best(down).toFixed(0).padStart(5)} ms  ${(best(down) / best(plain.down)).toFixed(2)} x ip`,
    );
  row("plain ip", plain);
  for (const lab of labs) row(`netns, ${lab.dataPath}`, lab);
  try {
    row("docker, ebpf", await dockerOnce(topology));
  } catch (err) {
    if (!(err instanceof LabError)) throw err;
    print(`  docker                   not measured: ${err.message}`);
  }
}

/** One set-up and teardown: seconds each. */
async function dockerOnce(topology: Topology): Promise<{ up: number[]; down: number[] }> {
  const from = performance.now();
  const lab = await openDockerLab(topology, { prefix: "bench", sha256: nodeSha256 });
  const isUp = performance.now();
  await lab.close();
  return { up: [isUp - from], down: [performance.now() - isUp] };
}

/** The topology by ip(8): namespaces, veth pairs, bridges, addresses, routes; gives the namespaces. */
function plainIp(topology: Topology): string[] {
  const ns = (name: string): string => `guelabbench-${name}`;
  const names = [...topology.networks, ...topology.hosts].map((n) => ns(n.name));
  const batch = (inside: string[], lines: string[]): void =>
    void run("ERR_IP", "ip", [...inside, "-batch", "-"], `${lines.join("\n")}\n`);
  batch(
    [],
    names.map((n) => `netns add ${n}`),
  );
  const nics = topology.hosts.flatMap((host) => host.nics.map((nic) => ({ host, nic })));
  batch(
    [],
    nics.map(
      ({ host, nic }, i) =>
        `link add ${nic.name} address ${formatMac(macOf(nic.addr))} netns ${ns(host.name)} type veth peer name p${i} netns ${ns(nic.network)}`,
    ),
  );
  for (const net of topology.networks)
    batch(
      ["-n", ns(net.name)],
      [
        "link add br0 type bridge stp_state 0",
        ...nics.flatMap(({ nic }, i) => (nic.network === net.name ? [`link set p${i} master br0 up`] : [])),
        `address add ${formatIpv4(net.gateway)}/${net.prefix} dev br0`,
        "link set br0 up",
        ...gatewayRoutes(topology, net.name).map(
          (r) => `route add ${formatIpv4(r.dst)}/${r.prefix} via ${formatIpv4(r.via)}`,
        ),
      ],
    );
  for (const host of topology.hosts)
    batch(
      ["-n", ns(host.name)],
      [
        "link set lo up",
        ...host.nics.flatMap((nic) => [
          `address add ${formatIpv4(nic.addr)}/${topology.networks.find((n) => n.name === nic.network)!.prefix} dev ${nic.name}`,
          `link set ${nic.name} up`,
        ]),
        ...host.routes.map((r) => `route add ${formatIpv4(r.dst)}/${r.prefix} via ${formatIpv4(r.via)}`),
      ],
    );
  return names;
}

/** Packets per second: of all that happens to a packet, and of what happens after it was sent. */
interface Rate {
  all: number;
  loop: number;
}

/** One lab whose packets are measured. */
interface Course {
  name: string;
  lab: LinuxLab;
  daddr: number;
  rates: Rate[];
}

/** From egw to node1, as they are and through the tunnel; the bursts of all labs take turns. */
async function packets(topology: Topology, print: Print): Promise<void> {
  const courses: Course[] = [];
  try {
    for (const dataPath of ["reference", "ebpf"] as const)
      for (const tunnel of [false, true]) courses.push(await course(topology, dataPath, tunnel));
    for (let i = 0; i < BURSTS; i++) for (const c of courses) c.rates.push(await burst(c));
  } finally {
    for (const { lab } of courses) await lab.close();
  }
  const [tap, reference, veth, ebpf] = courses;
  const row = (name: string, of: Course, base: Course, which: keyof Rate): void => {
    const rate = Math.max(...of.rates.map((r) => r[which]));
    const share =
      of === base
        ? ""
        : `${(100 * median(of.rates.map((r, i) => r[which] / base.rates[i][which]))).toFixed(0)} % of that`;
    print(`  ${name.padEnd(44)} ${(rate / 1000).toFixed(0).padStart(6)} k packets/s   ${share}`);
  };
  row("TAP loop, no data path (the floor)", tap, tap, "loop");
  row("TAP loop, reference: encap and decap", reference, tap, "loop");
  row("TAP from socket, no data path", tap, tap, "all");
  row("TAP from socket, reference: encap and decap", reference, tap, "all");
  row("veth from socket, no data path", veth, veth, "all");
  row("veth from socket, eBPF: encap and decap", ebpf, veth, "all");
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];

async function course(topology: Topology, dataPath: DataPathKind, tunnel: boolean): Promise<Course> {
  const name = `bench${dataPath}${tunnel ? "t" : ""}`;
  const lab = await openNetnsLab(topology, { prefix: name, dataPath, sha256: nodeSha256 });
  if (tunnel) {
    const hosts = topology.hosts.map((h) => h.name);
    lab.host("node1").addToLo(BACKEND);
    for (const line of TUNNEL) await lab.run(parseCommand(line, { hosts }));
    await lab.until(() => tunnelKnown(lab), 5e9);
  }
  return { name, lab, daddr: tunnel ? BACKEND : NODE1, rates: [] };
}

/** The ping from node1 has come: egw knows where the tunnel goes. */
const tunnelKnown = (lab: LinuxLab): boolean =>
  parseState("tunnel egw 65636 remote 172.1.0.4:6000").evaluate({ lab, mark: () => ({ packets: 0, drops: 0 }) }).ok;

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
