/**
 * The lab of network namespaces: scenarios pass on the kernel's own stack with the eBPF programs, and whatever happens
 * nothing is left behind and nothing of the machine's own namespace is touched.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../src/ebpf/exec.ts";
import { BPFFS } from "../../src/ebpf/load.ts";
import { LabError } from "../../src/errors.ts";
import { prefixOf } from "../../src/lab/linux/claim.ts";
import type { LinuxLab } from "../../src/lab/linux/lab.ts";
import { labNamespaces } from "../../src/lab/netns/claim.ts";
import { openNetnsLab } from "../../src/lab/netns/lab.ts";
import { loadTopology } from "../../src/scenario/load.ts";
import { parseCommand } from "../../src/scenario/parse-command.ts";
import { Cli } from "../kernel/cli.ts";
import { describeNetns } from "./require.ts";

const scenarios = resolve(import.meta.dirname, "../../scenarios");
const topology = loadTopology("basic.cfg", scenarios);

/** Prefixes of this run's labs: another run at the same time has others. */
const tag = randomBytes(3).toString("hex");
const prefix = (name: string): string => `t${tag}${name}`;

/** Everything of a lab that the kernel shows. */
const leftOf = (p: string): string[] => [
  ...labNamespaces(p),
  ...readdirSync(BPFFS).filter((f) => f.startsWith(`guelab-lab-${p}-`)),
];

/** What must stay as it is: addresses, routes and interfaces of the machine's own namespace that are not about other tests. */
const ownNamespace = (): string => run("ERR_IP", "ip", ["-4", "-o", "addr"]) + run("ERR_IP", "ip", ["route"]);

describeNetns("the netns lab", () => {
  let before: string;
  beforeAll(() => {
    before = ownNamespace();
  });
  afterAll(() => expect(ownNamespace()).toBe(before));

  const play = async (lab: LinuxLab, line: string) =>
    lab.run(parseCommand(line, { hosts: topology.hosts.map((h) => h.name) }));

  it("has no way out of the lab, and no way from one network's gateway to another network", async () => {
    const lab = await openNetnsLab(topology, { prefix: prefix("sealed"), record: true });
    try {
      // A documentation address (RFC 5737): nobody has it, and the gateway says so at once.
      const outside = await play(lab, "client ping -c 1 203.0.113.1");
      expect(outside.data).toMatchObject({ received: 0, icmpType: 3, icmpCode: 0 });
      const icmpAt = lab.packets().filter((p) => p.direction === "in" && p.frame[23] === 1);
      expect(new Set(icmpAt.map((p) => p.host))).toEqual(new Set(["gateway.basic-public", "client"]));
      expect((await play(lab, "client ping -c 1 172.2.0.1")).data).toMatchObject({ received: 0, icmpType: 3 });
      for (const { ns } of lab.world.gateways.values())
        expect(ns.enter(() => run("ERR_IP", "ip", ["route", "show", "default"]))).toBe("");
      // Every interface's other end is in the lab.
      for (const { ns } of [...lab.world.hosts.values(), ...lab.world.gateways.values()])
        for (const link of JSON.parse(ns.enter(() => run("ERR_IP", "ip", ["-j", "link"]))))
          if (link.link_netnsid === undefined) expect(["lo", "br0"]).toContain(link.ifname);
    } finally {
      await lab.close();
    }
  });

  it("runs beside a lab of another prefix, and refuses one of the same", async () => {
    const [p, q] = [prefix("one"), prefix("two")];
    const one = await openNetnsLab(topology, { prefix: p });
    try {
      const two = await openNetnsLab(topology, { prefix: q });
      await expect(openNetnsLab(topology, { prefix: p })).rejects.toMatchObject({ code: "ERR_LAB_UP" });
      await two.close();
      expect(leftOf(q)).toEqual([]);
      expect((await play(one, "client ping -c 1 5.5.5.5")).data.received).toBe(1);
    } finally {
      await one.close();
    }
    expect(leftOf(p)).toEqual([]);
  });

  it("takes no namespace for its own that it did not make", async () => {
    const p = prefix("taken");
    const name = `guelab-${p}-client`;
    run("ERR_IP", "ip", ["netns", "add", name]);
    try {
      await expect(openNetnsLab(topology, { prefix: p })).rejects.toMatchObject({ code: "ERR_NAME_TAKEN" });
      expect(labNamespaces(p)).toEqual([name]);
    } finally {
      run("ERR_IP", "ip", ["netns", "del", name]);
    }
  });

  it("leaves nothing behind when setting up fails half-way", async () => {
    const p = prefix("half");
    const broken = structuredClone(topology);
    broken.hosts[2].routes.push({ dst: 0x0a000000, prefix: 8, via: 0x0b000001 });
    await expect(openNetnsLab(broken, { prefix: p })).rejects.toBeInstanceOf(LabError);
    expect(leftOf(p)).toEqual([]);
    await (await openNetnsLab(topology, { prefix: p })).close();
  });

  it("has a topology's faults on its links, or names what the kernel lacks and leaves nothing behind", async () => {
    const p = prefix("slow");
    const slow = structuredClone(topology);
    slow.hosts[0].nics[0].link.delayNs = 20_000_000;
    const opened = await openNetnsLab(slow, { prefix: p }).catch((err: unknown) => err);
    if (opened instanceof LabError) expect(opened).toMatchObject({ code: "ERR_NO_NETEM" });
    else {
      const lab = opened as LinuxLab;
      const start = lab.now();
      await play(lab, `${slow.hosts[0].name} ping -c 1 5.5.5.5`);
      expect(lab.now() - start).toBeGreaterThanOrEqual(40_000_000);
      await lab.close();
    }
    expect(leftOf(p)).toEqual([]);
  });

  describe("killed", () => {
    let cli: Cli;
    beforeAll(async () => {
      cli = await Cli.build();
    });
    afterAll(() => cli.close());
    const scenario = join(scenarios, "basic/01-node1.yaml");

    /** Starts a run and kills it as soon as `reached` holds. */
    async function killWhen(p: string, signal: NodeJS.Signals, reached: () => boolean, file = scenario): Promise<void> {
      const child = cli.start("run", "--lab", "netns", "--prefix", p, file);
      const ended = new Promise((done) => child.on("close", done));
      while (!reached() && child.exitCode === null) await new Promise((next) => setTimeout(next, 1));
      child.kill(signal);
      await ended;
      expect(child.signalCode).toBe(signal);
    }

    it.each([
      ["with its first namespace", (p: string) => labNamespaces(p).length > 0],
      ["with all namespaces", (p: string) => labNamespaces(p).length === 7],
      ["with programs loaded", (p: string) => leftOf(p).length > 7],
    ])("%s by SIGKILL, the next lab of that name cleans up", async (_when, reached) => {
      const [p, other] = [prefix("kill"), prefix("killx")];
      const bystander = await openNetnsLab(topology, { prefix: other });
      try {
        await killWhen(p, "SIGKILL", () => reached(p));
        const left = leftOf(other);
        await (await openNetnsLab(topology, { prefix: p })).close();
        expect(leftOf(p)).toEqual([]);
        expect(leftOf(other)).toEqual(left);
      } finally {
        await bystander.close();
      }
    });

    it("by SIGINT it cleans up itself", async () => {
      const p = prefix("int");
      await killWhen(p, "SIGINT", () => leftOf(p).length > 7);
      expect(leftOf(p)).toEqual([]);
    });

    it("by SIGINT also between commands that wait for nothing", async () => {
      const p = prefix("busy");
      const dir = mkdtempSync(join(tmpdir(), "guelab-busy-"));
      const many = "  - repeat: 1000\n    steps: [egw port_list, egw pfc_list]\n".repeat(4);
      const steps = `  - egw pfc_start eth1 egw 9 9 5000 5010\n${many}`;
      writeFileSync(join(dir, "busy.yaml"), `title: busy\ntopology: basic.cfg\nsteps:\n${steps}`);
      try {
        await killWhen(p, "SIGINT", () => leftOf(p).length > 7, join(dir, "busy.yaml"));
        expect(leftOf(p)).toEqual([]);
      } finally {
        rmSync(dir, { recursive: true });
      }
    });

    it("says what is missing, and exits with 2", () => {
      const plain = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
      const unprivileged = cli.runBy("setpriv", plain, "run", "--lab", "netns", scenario);
      expect(unprivileged.stderr).toContain("ERR_NO_ROOT");
      expect(unprivileged.status).toBe(2);
      for (const pair of [
        ["sim", "ebpf"],
        ["docker", "reference"],
      ]) {
        const refused = cli.run("run", "--lab", pair[0], "--datapath", pair[1], scenario);
        expect(refused.stderr).toContain("ERR_BAD_ARGUMENT");
        expect(refused.status).toBe(2);
      }
    });
  });
});

it("makes prefixes without hyphens", () => {
  expect(prefixOf("my-lab.2")).toBe("my_lab_2");
  expect(prefixOf("")).toBe("lab");
});
