/** The labs that are compared: both data paths, each without a tunnel (the floor) and with one from egw to node1. */
import { nodeSha256 } from "../src/cli/execute.ts";
import type { DataPathKind } from "../src/lab/linux/data-path.ts";
import type { LinuxLab } from "../src/lab/linux/lab.ts";
import { openNetnsLab } from "../src/lab/netns/lab.ts";
import { parseCommand } from "../src/scenario/parse-command.ts";
import type { Topology } from "../src/scenario/topology.ts";
import { parseState } from "../src/scenario/until.ts";
import { parseIpv4 } from "../src/wire/ipv4.ts";

export const [NODE1, BACKEND] = ["172.1.0.4", "1.1.1.1"].map((a) => parseIpv4(a) as number);
/** Of the service behind the tunnel. */
export const PORT = 4000;

export interface Course {
  name: string;
  lab: LinuxLab;
  /** Where egw finds the service: node1's own address, or the one behind the tunnel. */
  daddr: number;
}

const tunnelTo = (proto: "udp" | "tcp", port: number): string[] => [
  // Without translation: egw itself asks, and an ICMP error about its packets must name what it asked.
  "egw pfc_start eth1 egw 9 9 5000 5010",
  "node1 pfc_start eth1 node1 9 8 6000 6010 10",
  `egw pfc_add eth1 1 100 5erv1ceP@55w0rd! 0 0 ${proto} 5.5.5.5 3100 1.1.1.1 ${port}`,
  `node1 pfc_add eth1 1 100 5erv1ceP@55w0rd! 172.1.0.3 5000 ${proto} 5.5.5.5 3100 1.1.1.1 ${port}`,
];

/** TAP, reference, veth, eBPF: each floor in front of its data path. */
export async function openCourses(topology: Topology, proto: "udp" | "tcp", port = PORT): Promise<Course[]> {
  const courses: Course[] = [];
  try {
    for (const dataPath of ["reference", "ebpf"] as const)
      for (const lines of [[], tunnelTo(proto, port)]) courses.push(await openCourse(topology, dataPath, lines));
  } catch (err) {
    await closeCourses(courses);
    throw err;
  }
  return courses;
}

export async function closeCourses(courses: readonly Course[]): Promise<void> {
  for (const { lab } of courses) await lab.close();
}

async function openCourse(topology: Topology, dataPath: DataPathKind, tunnel: readonly string[]): Promise<Course> {
  const name = `bench${dataPath}${tunnel.length > 0 ? "t" : ""}`;
  const lab = await openNetnsLab(topology, { prefix: name, dataPath, sha256: nodeSha256 });
  if (tunnel.length === 0) return { name, lab, daddr: NODE1 };
  try {
    const hosts = topology.hosts.map((h) => h.name);
    lab.host("node1").addToLo(BACKEND);
    for (const line of tunnel) await lab.run(parseCommand(line, { hosts }));
    await lab.until(() => tunnelKnown(lab), 5e9);
    return { name, lab, daddr: BACKEND };
  } catch (err) {
    await lab.close();
    throw err;
  }
}

/** The ping from node1 has come: egw knows where the tunnel goes. */
const tunnelKnown = (lab: LinuxLab): boolean =>
  parseState("tunnel egw 65636 remote 172.1.0.4:6000").evaluate({ lab, mark: () => ({ packets: 0, drops: 0 }) }).ok;

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];
