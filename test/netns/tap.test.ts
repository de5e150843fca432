/**
 * The reference as the data path of real hosts: their interfaces are TAPs, and it is this process that forwards, translates
 * and tunnels; nothing of it is left behind.
 */
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { run } from "../../src/ebpf/exec.ts";
import { BPFFS } from "../../src/ebpf/load.ts";
import type { LinuxLab } from "../../src/lab/linux/lab.ts";
import { requireTun } from "../../src/lab/linux/tap-calls.ts";
import { labNamespaces } from "../../src/lab/netns/claim.ts";
import { openNetnsLab } from "../../src/lab/netns/lab.ts";
import { loadTopology } from "../../src/scenario/load.ts";
import { parseCommand } from "../../src/scenario/parse-command.ts";
import { REASON, type ReasonName } from "../../src/tables/reasons.ts";
import { TABLES } from "../../src/tables/schema.ts";
import { typed } from "../../src/tables/typed.ts";
import { Cli } from "../kernel/cli.ts";
import { describeNetns } from "./require.ts";

const scenarios = resolve(import.meta.dirname, "../../scenarios");
const topology = loadTopology("basic.cfg", scenarios);
const hosts = topology.hosts.map((h) => h.name);
const tag = randomBytes(3).toString("hex");
const prefix = (name: string): string => `r${tag}${name}`;

const play = (lab: LinuxLab, line: string) => lab.run(parseCommand(line, { hosts }));
const open = (name: string, record = false): Promise<LinuxLab> =>
  openNetnsLab(topology, { prefix: prefix(name), dataPath: "reference", record });

const counted = (lab: LinuxLab, host: string, reason: ReasonName): number =>
  Number(typed(TABLES.REASON, lab.host(host).tables.REASON).get({ value: REASON[reason] })?.value ?? 0);

const TUNNEL = [
  "http_start node2 2.2.2.2 4000 200",
  "egw pfc_start eth1 egw 11 11 5000 5010",
  "node2 pfc_start eth1 node2 9 8 6000 6010 10",
  "egw pfc_add eth1 1 200 5erv1ceP@55w0rd! 0 0 tcp 5.5.5.5 3200 2.2.2.2 4000",
  "node2 pfc_add eth1 1 200 5erv1ceP@55w0rd! 172.1.0.3 5000 tcp 5.5.5.5 3200 2.2.2.2 4000",
  "egw pfc_add eth1 1 100 abcdefgh12345678 172.1.0.4 6000 udp 5.5.5.5 3100 1.1.1.1 4000",
];

describeNetns("the reference at real hosts", () => {
  const all = (lab: LinuxLab) => [...lab.world.hosts.values(), ...lab.world.gateways.values()];

  describe("in one lab", () => {
    let lab: LinuxLab;
    beforeAll(async () => {
      lab = await open("one", true);
      for (const line of TUNNEL) await play(lab, line);
      expect(await lab.until(() => counted(lab, "egw", "PING_CONSUMED") > 0, 5e9)).toBe(true);
    });
    afterAll(() => lab.close());
    let seen: number;
    beforeEach(() => {
      seen = lab.packets().length;
    });

    it("carries curl through the tunnel by the twins of the programs, on TAP interfaces", async () => {
      const { data } = await play(lab, "client curl http://5.5.5.5:3200/hello");
      expect(data).toMatchObject({ status: 200 });
      for (const [host, reason] of [
        ["egw", "PASS_ENCAP"],
        ["egw", "PASS_DECAP"],
        ["node2", "PASS_ENCAP"],
        ["node2", "PASS_DECAP"],
      ] as const)
        expect(counted(lab, host, reason), `${host} ${reason}`).toBeGreaterThan(2);

      for (const { ns } of all(lab)) {
        const links = JSON.parse(ns.enter(() => run("ERR_IP", "ip", ["-d", "-j", "link"])));
        const other = links.filter((l: { ifname: string }) => /^(eth|br)/.test(l.ifname));
        expect(other.length).toBeGreaterThan(0);
        for (const link of other) expect(link.linkinfo).toMatchObject({ info_kind: "tun", info_data: { type: "tap" } });
        // Nothing is at the kernel's hooks.
        expect(ns.enter(() => run("ERR_TC", "tc", ["qdisc", "show"]))).not.toContain("clsact");
      }
      expect(readdirSync(BPFFS).filter((f) => f.startsWith(`guelab-lab-${prefix("one")}`))).toEqual([]);
    });

    it("records every packet with what the hooks said, in the order of time", async () => {
      await play(lab, "client curl http://5.5.5.5:3200/hello");
      const packets = lab.packets().slice(seen);
      const out = packets.filter(
        (p) => p.host === "egw" && p.direction === "out" && p.hook?.reason === REASON.PASS_ENCAP,
      );
      expect(out.length).toBeGreaterThan(2);
      for (const p of out) {
        expect(p.hook).toMatchObject({ hook: "egress", tunnel: 65736, group: 1, service: 200 });
        expect(p.frame.length).toBe((p.hook?.lenBefore ?? 0) + 52);
      }
      for (const [i, p] of packets.entries()) if (i > 0) expect(p.timeNs).toBeGreaterThanOrEqual(packets[i - 1].timeNs);
    });

    it("knows each drop with its frame", async () => {
      const before = lab.drops().length;
      await play(
        lab,
        "client send_gue ping --to 172.1.0.3:5000 --group 1 --service 999 --key abcdefgh12345678 --tunnel 65636",
      );
      expect(await lab.until(() => lab.drops().length > before, 2e9)).toBe(true);
      const drop = lab.drops()[before];
      expect(drop).toMatchObject({ host: "egw", nic: "eth1", where: "tc ingress", reason: "DROP_NO_SERVICE" });
      expect(drop.frame.length).toBeGreaterThan(42);
    });

    it("has no way out", async () => {
      expect((await play(lab, "client ping -c 1 203.0.113.1")).data).toMatchObject({ received: 0, icmpType: 3 });
      expect((await play(lab, "client ping -c 1 172.2.0.1")).data).toMatchObject({ received: 0, icmpType: 3 });
      for (const { ns } of lab.world.gateways.values())
        expect(ns.enter(() => run("ERR_IP", "ip", ["route", "show", "default"]))).toBe("");
    });

    it("pulls a cable: the host loses its carrier, and packets for it are dropped on the link", async () => {
      const { ns } = lab.host("node1");
      const state = (): string =>
        JSON.parse(ns.enter(() => run("ERR_IP", "ip", ["-j", "link", "show", "eth1"])))[0].operstate;
      await play(lab, "link node1 down");
      expect(await lab.until(() => state() === "DOWN", 2e9)).toBe(true);
      const before = lab.drops().length;
      expect((await play(lab, "client ping -c 1 172.1.0.4")).data).toMatchObject({ received: 0 });
      expect(lab.drops().slice(before)).toContainEqual(
        expect.objectContaining({ host: "node1", nic: "eth1", where: "link", reason: "the link is down" }),
      );
      await play(lab, "link node1 up");
      expect(await lab.until(() => state() !== "DOWN", 2e9)).toBe(true);
      expect((await play(lab, "client ping -c 3 172.1.0.4")).data.received).toBeGreaterThan(0);
    });

    it("measures what the hooks made longer by the MTU that the host has now", async () => {
      await play(lab, "egw ip link set eth1 mtu 1400");
      const before = lab.drops().length;
      // In CONFIG the MTU is still 1500: nobody tells the sender that 52 bytes more are too much.
      await play(lab, "egw udp --no-reply 1.1.1.1 4000 1340");
      expect(await lab.until(() => lab.drops().length > before, 2e9)).toBe(true);
      expect(lab.drops()[before]).toMatchObject({ host: "egw", where: "nic" });
      expect(counted(lab, "egw", "FIB_FRAG_NEEDED")).toBe(1);
      await play(lab, "egw ip link set eth1 mtu 1500");
      await play(lab, "egw udp --no-reply 1.1.1.1 4000 1340");
      expect(await lab.until(() => lab.packets().some((p) => p.host === "node1" && p.frame.length === 1434), 2e9)).toBe(
        true,
      );
    });
  });

  it("comes up and goes again without keeping a descriptor", async () => {
    const descriptors = (): number => readdirSync("/proc/self/fd").length;
    await (await open("fds")).close();
    const before = descriptors();
    for (let i = 0; i < 2; i++) {
      const lab = await open("fds");
      await play(lab, "egw pfc_start eth1 egw 11 11 5000 5010");
      await play(lab, "topo_cleanup");
      await play(lab, "topo_setup");
      await lab.close();
      expect(labNamespaces(prefix("fds"))).toEqual([]);
    }
    await expect.poll(descriptors).toBe(before);
  });

  it("runs beside one with the programs", async () => {
    const ours = await open("ours");
    const theirs = await openNetnsLab(topology, { prefix: prefix("theirs") });
    try {
      for (const lab of [ours, theirs])
        expect((await play(lab, "client ping -c 1 5.5.5.5")).data).toMatchObject({ received: 1 });
    } finally {
      await theirs.close();
      await ours.close();
    }
  });

  it("says what is missing", () => {
    expect(() => requireTun("/dev/net/none")).toThrow(expect.objectContaining({ code: "ERR_NO_TUN" }));
    expect(() => requireTun("/dev/null")).toThrow(expect.objectContaining({ code: "ERR_NO_TUN" }));
  });

  describe("from the command line", () => {
    let cli: Cli;
    beforeAll(async () => {
      cli = await Cli.build();
    });
    afterAll(() => cli.close());
    const scenario = join(scenarios, "basic/01-node1.yaml");
    const args = (p: string): string[] => ["run", "--lab", "netns", "--datapath", "reference", "--prefix", p, scenario];

    it("runs a scenario", () => {
      const { status, stdout } = cli.run(...args(prefix("cli")));
      expect(stdout).toContain("netns");
      expect(status).toBe(0);
      expect(labNamespaces(prefix("cli"))).toEqual([]);
    });

    it("exits with 2 where there is no /dev/net/tun", () => {
      const hidden = ["--mount", "sh", "-c", 'mount -t tmpfs none /dev/net && exec "$0" "$@"'];
      const { status, stderr } = cli.runBy("unshare", hidden, ...args(prefix("no")));
      expect(stderr).toContain("ERR_NO_TUN");
      expect(stderr).toContain("modprobe tun");
      expect(status).toBe(2);
      expect(labNamespaces(prefix("no"))).toEqual([]);
    });

    it.each(["SIGKILL", "SIGINT"] as const)("by %s in the middle, nothing is left to the next lab", async (signal) => {
      const p = prefix("kill");
      const child = cli.start(...args(p));
      const ended = new Promise((done) => child.on("close", done));
      while (labNamespaces(p).length < 7 && child.exitCode === null) await new Promise((next) => setTimeout(next, 1));
      child.kill(signal);
      await ended;
      expect(child.signalCode).toBe(signal);
      if (signal === "SIGINT") expect(labNamespaces(p)).toEqual([]);
      await (await open("kill")).close();
      expect(labNamespaces(p)).toEqual([]);
    });
  });
});
