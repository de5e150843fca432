/**
 * What programs see through the tunnel, from egw to node1 and back: HTTP requests, each on a connection of its own (curl(1), one
 * process, to the lab's server), and the rate of one TCP stream (iperf3(1), or else curl's download of 100 MB). The floors are
 * the same labs with no data path at their interfaces. Labs take turns.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../src/errors.ts";
import { serveHttp } from "../src/lab/linux/http-service.ts";
import type { LinuxHost } from "../src/lab/linux/world.ts";
import type { Topology } from "../src/scenario/topology.ts";
import { formatIpv4 } from "../src/wire/ipv4.ts";
import { type Course, closeCourses, median, openCourses, PORT } from "./labs-course.ts";

const ROUNDS = 5;
const REQUESTS = 300;
const STREAM_S = 1;

type Measure = (course: Course) => Promise<number>;

export async function traffic(topology: Topology, print: (line: string) => void): Promise<void> {
  const courses = await openCourses(topology, "tcp");
  try {
    const stream = hasIperf() ? iperf : download;
    const measures: [unit: string, Measure][] = [
      ["HTTP requests/s", requests],
      [`Mbit/s of TCP (${hasIperf() ? "iperf3" : "curl"})`, stream],
    ];
    for (const [unit, measure] of measures) {
      const rates = courses.map((): number[] => []);
      for (let i = 0; i < ROUNDS; i++)
        for (const [k, course] of courses.entries()) rates[k].push(await measure(course));
      const row = (name: string, of: readonly number[], base: readonly number[]): void => {
        const share = of === base ? "" : `   ${(100 * median(of.map((r, i) => r / base[i]))).toFixed(0)} % of that`;
        print(
          `  ${name.padEnd(40)} ${Math.max(...of)
            .toFixed(0)
            .padStart(6)} ${unit}${share}`,
        );
      };
      const [tap, reference, veth, ebpf] = rates;
      row("TAP, no data path (the floor)", tap, tap);
      row("TAP, reference: encap and decap", reference, tap);
      row("veth, no data path (the floor)", veth, veth);
      row("veth, eBPF: encap and decap", ebpf, veth);
    }
  } finally {
    await closeCourses(courses);
  }
}

const hasIperf = (): boolean => (process.env.PATH ?? "").split(":").some((dir) => existsSync(join(dir, "iperf3")));

/** With the service up on node1. */
async function served<T>({ lab, daddr }: Course, measure: (url: string) => Promise<T>): Promise<T> {
  const endpoint = `${formatIpv4(daddr)}:${PORT}`;
  const options = { addr: daddr, port: PORT, serviceId: "100", node: "node1", endpoint };
  const stop = serveHttp(lab.host("node1").ns, options);
  try {
    return await measure(`http://${endpoint}`);
  } finally {
    stop();
  }
}

/** curl takes a range of addresses and asks one after the other. */
const requests: Measure = (course) =>
  served(course, async (url) => {
    const args = ["--disable", "--silent", "--fail", "--noproxy", "*", "--header", "Connection: close"];
    const from = performance.now();
    await inside(course.lab.host("egw"), "curl", [...args, "--output", "/dev/null", `${url}/hello?[1-${REQUESTS}]`]);
    return REQUESTS / ((performance.now() - from) / 1000);
  });

const download: Measure = (course) =>
  served(course, async (url) => {
    const args = ["--disable", "--silent", "--fail", "--noproxy", "*", "--output", "/dev/null"];
    const speed = ["--write-out", "%{speed_download}", `${url}/data_100M.bin`];
    return (Number(await inside(course.lab.host("egw"), "curl", [...args, ...speed])) * 8) / 1e6;
  });

const iperf: Measure = async ({ lab, daddr }) => {
  const port = ["--port", String(PORT)];
  const bind = ["--server", "--one-off", "--bind", formatIpv4(daddr), "--forceflush"];
  const { host, ready, ended } = started(lab.host("node1"), "iperf3", [...bind, ...port], /listening/);
  try {
    await ready;
    const client = ["--client", formatIpv4(daddr), "--time", String(STREAM_S), "--json"];
    const report = JSON.parse(await inside(lab.host("egw"), "iperf3", [...client, ...port]));
    await ended;
    return report.end.sum_received.bits_per_second / 1e6;
  } finally {
    host.kill();
  }
};

/** Runs a program in a host to its end; gives what it printed. */
async function inside(host: LinuxHost, program: string, args: readonly string[]): Promise<string> {
  const { ended } = started(host, program, args);
  return ended;
}

/** Starts a program in a host. `ready`: it has printed what is waited for. */
function started(host: LinuxHost, program: string, args: readonly string[], waitFor = /(?:)/) {
  const child = host.ns.enter(() =>
    spawn(...host.ns.command(program, args), { env: { PATH: process.env.PATH, LC_ALL: "C" } }),
  );
  let out = "";
  let err = "";
  let isReady: () => void = () => {};
  const ready = new Promise<void>((resolve) => {
    isReady = resolve;
  });
  child.stdout.on("data", (chunk) => {
    out += chunk;
    if (waitFor.test(out)) isReady();
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  const ended = new Promise<string>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(out);
      else
        reject(new LabError("ERR_BENCH", `${program} in ${host.def.name}: exit code ${code}: ${(err || out).trim()}`));
    });
  });
  // Whoever waits for it to be ready must hear that it has ended.
  const listening = Promise.race([ready, ended.then(() => {})]);
  return { host: child, ready: listening, ended };
}
