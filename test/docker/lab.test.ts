/**
 * The docker lab: whatever happens nothing is left behind, nothing of the machine's own namespace is touched, and what a lab
 * cannot stand on is refused before anything is made.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run, tryRun } from "../../src/ebpf/exec.ts";
import { BPFFS } from "../../src/ebpf/load.ts";
import { LabError } from "../../src/errors.ts";
import { docker } from "../../src/lab/docker/cli.ts";
import { openDockerLab } from "../../src/lab/docker/lab.ts";
import { labObjects } from "../../src/lab/docker/leftovers.ts";
import type { LinuxLab } from "../../src/lab/linux/lab.ts";
import { hostDir, LIVE_DIR } from "../../src/lab/live/paths.ts";
import { loadTopology } from "../../src/scenario/load.ts";
import { parseCommand } from "../../src/scenario/parse-command.ts";
import type { Topology } from "../../src/scenario/topology.ts";
import { Cli } from "../kernel/cli.ts";
import { describeDocker } from "./require.ts";

const scenarios = resolve(import.meta.dirname, "../../scenarios");
const topology = loadTopology("basic.cfg", scenarios);
const SCENARIO = join(scenarios, "basic/01-node1.yaml");

/** Prefixes of this run's labs: another run at the same time has others. */
const tag = randomBytes(3).toString("hex");
const prefix = (name: string): string => `k${tag}${name}`;

/** Everything of a lab that the daemon, the kernel and the file system show. */
const leftOf = (p: string): string[] => {
  const { containers, networks } = labObjects(p);
  const pins = readdirSync(BPFFS).filter((f) => f.startsWith(`guelab-lab-${p}-`));
  return [...containers, ...networks, ...pins, ...[join(LIVE_DIR, p), dirname(hostDir(p, "x"))].filter(existsSync)];
};

/** What must stay as it is: addresses, routes and interfaces of the machine's own namespace that are not about other tests. */
const ownNamespace = (): string => run("ERR_IP", "ip", ["-4", "-o", "addr"]) + run("ERR_IP", "ip", ["route"]);

const play = (lab: LinuxLab, line: string) =>
  lab.run(parseCommand(line, { hosts: lab.topology.hosts.map((h) => h.name) }));

describeDocker("the docker lab", (daemon) => {
  let before: string;
  beforeAll(() => {
    before = ownNamespace();
  });
  afterAll(() => expect(ownNamespace()).toBe(before));
  const inDaemon = (program: string, ...args: string[]): string =>
    run("ERR_TEST", "nsenter", [`--net=${daemon().netns}`, program, ...args]);

  it("has hosts as the topology says, and no way out", async () => {
    const lab = await openDockerLab(topology, { prefix: prefix("sealed"), record: true });
    const watch = await Watch.open("host 203.0.113.7 or port 53");
    try {
      expect(ownNamespace()).toBe(before);
      for (const { def, ns } of lab.world.hosts.values()) {
        const links = JSON.parse(ns.enter(() => run("ERR_IP", "ip", ["-j", "-4", "addr"])));
        const seen = links.map((l: { ifname: string; mtu: number; addr_info: { local: string }[] }) => l.ifname);
        expect(seen.sort()).toEqual(["lo", "eth0", ...def.nics.map((n) => n.name)].sort());
        // Docker's name server would have the kernel track every connection.
        if (def.role !== "nat") expect(lab.conntrack(def.name)).toEqual([]);
      }
      // A documentation address (RFC 5737): nobody has it.
      const away = await play(lab, "client ping -c 1 203.0.113.7");
      expect(away.data.received).toBe(0);
      expect((await play(lab, "client ping -c 1 172.2.0.3")).data.received).toBe(0);
      // Neither does the daemon's name server ask for it.
      const container = `guelab-${prefix("sealed")}-client`;
      const asked = tryRun("docker", ["exec", container, "timeout", "2", "busybox", "nslookup", `${tag}.invalid`]);
      expect(asked.status).not.toBe(0);
      expect(lab.packets().some((p) => p.frame.length > 34 && p.frame[23] === 1)).toBe(true);
      const gone = await watch.close();
      expect(gone).not.toContain("\xcb\x00\x71\x07");
      expect(gone).not.toContain(tag);
      // "The host" is the gateway, whose way to PROXY_IP is no route of the daemon's namespace.
      expect((await play(lab, "test_icmp 5.5.5.5")).data).toMatchObject({ sent: 3, received: 3 });
      expect(inDaemon("ip", "route", "get", "172.1.0.9")).toContain("dev br-");
      expect(tryRun("nsenter", [`--net=${daemon().netns}`, "ip", "route", "get", "5.5.5.5"]).status).not.toBe(0);
    } finally {
      await watch.close();
      await lab.close();
    }
    expect(leftOf(prefix("sealed"))).toEqual([]);
  });

  it("unplugs and plugs in a cable", async () => {
    const lab = await openDockerLab(topology, { prefix: prefix("link") });
    try {
      await play(lab, "link node1/eth1 down");
      expect((await play(lab, "client ping -c 1 172.1.0.4")).data.received).toBe(0);
      await play(lab, "link node1/eth1 up");
      expect((await play(lab, "client ping -c 2 172.1.0.4")).data.received).toBeGreaterThan(0);
    } finally {
      await lab.close();
    }
  });

  it("runs beside a lab with other subnets, and refuses the same ones and the same prefix", async () => {
    const [p, q] = [prefix("one"), prefix("two")];
    const one = await openDockerLab(topology, { prefix: p });
    try {
      await expect(openDockerLab(topology, { prefix: p })).rejects.toMatchObject({ code: "ERR_LAB_UP" });
      await expect(openDockerLab(topology, { prefix: q })).rejects.toMatchObject({
        code: "ERR_SUBNET_TAKEN",
        message: expect.stringContaining(`guelab-${p}-basic-public`),
        hint: expect.stringContaining(`'${p}'`),
      });
      expect(leftOf(q)).toEqual([]);
      const two = await openDockerLab(moved(topology), { prefix: q });
      expect((await play(two, "client ping -c 1 5.5.5.5")).data.received).toBe(1);
      await two.close();
      expect(leftOf(q)).toEqual([]);
      expect((await play(one, "client ping -c 1 5.5.5.5")).data.received).toBe(1);
    } finally {
      await one.close();
    }
    expect(leftOf(p)).toEqual([]);
  });

  it("takes no container and no network for its own that it did not make", async () => {
    const p = prefix("taken");
    docker(["create", "--name", `guelab-${p}-client`, "--network", "none", "guelab"]);
    await expect(openDockerLab(topology, { prefix: p })).rejects.toMatchObject({ code: "ERR_NAME_TAKEN" });
    docker(["rm", `guelab-${p}-client`]);
    docker(["network", "create", "--internal", `guelab-${p}-basic-nat`]);
    await expect(openDockerLab(topology, { prefix: p })).rejects.toMatchObject({ code: "ERR_NAME_TAKEN" });
    docker(["network", "rm", `guelab-${p}-basic-nat`]);
    expect(leftOf(p)).toEqual([]);
  });

  it("refuses subnets that the daemon's namespace has a route to", async () => {
    inDaemon("ip", "link", "add", "other7", "type", "veth", "peer", "name", "other8");
    try {
      for (const nic of ["other7", "other8"]) inDaemon("ip", "link", "set", nic, "up");
      inDaemon("ip", "address", "add", "172.1.7.1/24", "dev", "other7");
      await expect(openDockerLab(topology, { prefix: prefix("route") })).rejects.toMatchObject({
        code: "ERR_SUBNET_TAKEN",
        message: expect.stringContaining("172.1.7.0/24 dev other7"),
      });
    } finally {
      inDaemon("ip", "link", "del", "other7");
    }
    expect(leftOf(prefix("route"))).toEqual([]);
  });

  it.skipIf(!existsSync("/proc/sys/net/bridge"))("refuses a daemon whose bridges go through iptables", async () => {
    const set = (value: string) => inDaemon("sh", "-c", `echo ${value} > /proc/sys/net/bridge/bridge-nf-call-iptables`);
    set("1");
    try {
      await expect(openDockerLab(topology, { prefix: prefix("nf") })).rejects.toMatchObject({
        code: "ERR_BRIDGE_NF",
        hint: expect.stringContaining(`nsenter --net=${daemon().netns} sysctl -w`),
      });
      expect(leftOf(prefix("nf"))).toEqual([]);
    } finally {
      set("0");
    }
  });

  it("leaves nothing behind when setting up fails half-way", async () => {
    const p = prefix("half");
    const broken = structuredClone(topology);
    broken.hosts[2].routes.push({ dst: 0x0a000000, prefix: 8, via: 0x0b000001 });
    await expect(openDockerLab(broken, { prefix: p })).rejects.toBeInstanceOf(LabError);
    expect(leftOf(p)).toEqual([]);
    // An image whose program is not there, and one without any: what docker says of it is said.
    const none = ["--change", "LABEL guelab.image=1"];
    docker(["import", ...none, "--change", 'CMD ["/nothing"]', "/dev/null", "guelab:empty"]);
    docker(["import", ...none, "/dev/null", "guelab:idle"]);
    for (const [image, words] of [
      ["guelab:empty", "/nothing"],
      ["guelab:idle", "docker create failed"],
    ]) {
      const failure = { code: "ERR_DOCKER", message: expect.stringContaining(words) };
      await expect(openDockerLab(topology, { prefix: p, image })).rejects.toMatchObject(failure);
      expect(leftOf(p)).toEqual([]);
    }
    await (await openDockerLab(topology, { prefix: p })).close();
  });

  describe("as a program", () => {
    let cli: Cli;
    beforeAll(async () => {
      cli = await Cli.build();
    });
    afterAll(() => cli.close());

    /** Starts a run and kills it as soon as `reached` holds. */
    async function killWhen(p: string, signal: NodeJS.Signals, reached: () => boolean): Promise<void> {
      const args = ["run", "--lab", "docker", "--prefix", p, SCENARIO];
      const child = spawn(process.execPath, [cli.path, ...args], { stdio: ["ignore", "ignore", "pipe"] });
      const said: string[] = [];
      child.stderr.setEncoding("utf8").on("data", (text: string) => said.push(text));
      const ended = new Promise((done) => child.on("close", done));
      while (!reached() && child.exitCode === null) await new Promise((next) => setTimeout(next, 1));
      child.kill(signal);
      await ended;
      expect(child.signalCode, said.join("")).toBe(signal);
    }

    const states = (p: string): number =>
      docker(["ps", "--quiet", "--filter", `label=guelab.lab=${p}`]).split("\n").length - 1;
    const MOMENTS: [string, (p: string) => boolean][] = [
      ["its claim", (p) => existsSync(join(LIVE_DIR, p))],
      ["its first network", (p) => labObjects(p).networks.length > 0],
      ["its first container", (p) => labObjects(p).containers.length > 0],
      ["its first running container", (p) => states(p) > 0],
      ["all containers", (p) => states(p) === topology.hosts.length],
      ["programs loaded", (p) => readdirSync(BPFFS).some((f) => f.startsWith(`guelab-lab-${p}-`))],
    ];

    it("killed at any moment, the next lab of that name cleans up, and touches no other", async () => {
      const [p, other] = [prefix("kill"), prefix("killx")];
      const bystander = await openDockerLab(moved(topology), { prefix: other });
      try {
        const left = leftOf(other);
        for (const [, reached] of MOMENTS) await killWhen(p, "SIGKILL", () => reached(p));
        await (await openDockerLab(topology, { prefix: p })).close();
        expect(leftOf(p)).toEqual([]);
        expect(leftOf(other)).toEqual(left);
      } finally {
        await bystander.close();
      }
    }, 180_000);

    it.each(MOMENTS.slice(1))("by SIGINT with %s it cleans up itself", async (_when, reached) => {
      const p = prefix("int");
      await killWhen(p, "SIGINT", () => reached(p));
      expect(leftOf(p)).toEqual([]);
    });

    const refused = (code: string, result: { status: number; stderr: string }): void => {
      expect(result.stderr).toContain(code);
      expect(result.stderr).not.toMatch(/^\s+at /m);
      expect(result.status).toBe(2);
    };

    it("says what is missing or wrong, and exits with 2", async () => {
      const plain = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
      refused("ERR_NO_ROOT", cli.runBy("setpriv", plain, "run", "--lab", "docker", SCENARIO));
      const reference = cli.run("run", "--lab", "docker", "--datapath", "reference", SCENARIO);
      refused("ERR_BAD_ARGUMENT", reference);
      expect(reference.stderr).toContain("--lab netns");
      refused("ERR_BAD_ARGUMENT", cli.run("run", "--lab", "netns", "--image", "guelab", SCENARIO));
      refused("ERR_PREFIX", cli.run("run", "--lab", "docker", "--prefix", "a-b", SCENARIO));
      refused("ERR_NO_IMAGE", cli.run("run", "--lab", "docker", "--image", "guelab:nowhere", SCENARIO));
      refused("ERR_IMAGE_NAME", cli.run("run", "--lab", "docker", "--image", "--privileged", SCENARIO));
      docker(["import", "/dev/null", "other"]);
      refused("ERR_IMAGE_OTHER", cli.run("run", "--lab", "docker", "--image", "other", SCENARIO));
      const nowhere = ["DOCKER_HOST=unix:///nonexistent/docker.sock"];
      refused("ERR_NO_DOCKER", cli.runBy("env", nowhere, "run", "--lab", "docker", SCENARIO));
      refused("ERR_NO_DOCKER", cli.runBy("env", nowhere, "image", "build"));
    });

    it("names the docker CLI where it is not installed", () => {
      const dir = mkdtempSync(join(tmpdir(), "guelab-path-"));
      try {
        for (const tool of ["nsenter", "setpriv"])
          symlinkSync(run("ERR_TEST", "sh", ["-c", `command -v ${tool}`]).trim(), join(dir, tool));
        const result = cli.runBy("env", [`PATH=${dir}`], "run", "--lab", "docker", SCENARIO);
        refused("ERR_NO_DOCKER", result);
        expect(result.stderr).toContain("apt-get install docker.io");
      } finally {
        rmSync(dir, { recursive: true });
      }
    });

    it("refuses a daemon that may be on another machine", async () => {
      const proxy: Server = createServer((from) => {
        const to = connect(daemon().host.slice("unix://".length));
        for (const socket of [from, to]) socket.on("error", () => socket.destroy());
        from.pipe(to).pipe(from);
      });
      await new Promise<void>((done) => proxy.listen(0, "127.0.0.1", done));
      try {
        const { port } = proxy.address() as { port: number };
        const host = `tcp://127.0.0.1:${port}`;
        const result = await started(cli, { DOCKER_HOST: host }, "run", "--lab", "docker", SCENARIO);
        refused("ERR_DOCKER_REMOTE", result);
      } finally {
        proxy.close();
      }
    });

    it("ends an image's build on Ctrl-C and leaves nothing", async () => {
      const images = () => readdirSync(tmpdir()).filter((f) => f.startsWith("guelab-image-"));
      const there = images();
      // A mirror that takes the request and never answers.
      let asked = (): void => {};
      const request = new Promise<void>((done) => {
        asked = done;
      });
      const mirror = createServer((socket) => socket.on("error", () => {}).once("data", () => asked()));
      await new Promise<void>((done) => mirror.listen(0, "127.0.0.1", done));
      try {
        const { port } = mirror.address() as { port: number };
        const url = `http://127.0.0.1:${port}/debian`;
        const child = cli.start("image", "build", "--tag", "guelab:never", "--from-debootstrap", "--mirror", url);
        const ended = new Promise<number | null>((done) => child.on("close", done));
        await request;
        child.kill("SIGINT");
        expect(await ended).toBe(2);
        expect(images()).toEqual(there);
      } finally {
        mirror.close();
      }
    });
  });
});

/** The same topology with other subnets. */
function moved(of: Topology): Topology {
  const text = run("ERR_TEST", "sed", ["s/172\\./10./g", of.source?.file ?? ""]);
  const dir = mkdtempSync(join(tmpdir(), "guelab-moved-"));
  try {
    writeFileSync(join(dir, "moved.cfg"), text);
    return loadTopology("moved.cfg", dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Runs the program without holding this one up. */
async function started(cli: Cli, env: Record<string, string>, ...args: string[]) {
  const child = spawn(process.execPath, [cli.path, ...args], { env: { ...process.env, ...env } });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const status = await new Promise<number>((done) => child.on("close", (code) => done(code ?? -1)));
  return { status, stderr };
}

/** tcpdump on all interfaces of the machine's own namespace. */
class Watch {
  private readonly child: ChildProcess;
  private readonly file: string;
  private readonly ended: Promise<unknown>;

  private constructor(child: ChildProcess, file: string) {
    this.child = child;
    this.file = file;
    this.ended = new Promise((done) => child.on("close", done));
  }

  static async open(filter: string): Promise<Watch> {
    const file = join(mkdtempSync(join(tmpdir(), "guelab-watch-")), "own.pcap");
    const child = spawn("tcpdump", ["-U", "-i", "any", "-w", file, filter], { stdio: ["ignore", "ignore", "pipe"] });
    await new Promise<void>((listening, failed) => {
      child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        if (text.includes("listening on")) listening();
      });
      child.on("error", failed);
    });
    return new Watch(child, file);
  }

  /** What was seen, as bytes; nothing when asked again. */
  async close(): Promise<string> {
    this.child.kill("SIGINT");
    await this.ended;
    if (!existsSync(this.file)) return "";
    const seen = readFileSync(this.file, "latin1");
    rmSync(dirname(this.file), { recursive: true });
    return seen;
  }
}
