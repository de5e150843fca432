/** The demo's scripts as commands on a lab that stays up: the original text, line by line, each command a process of its own. */
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { tryRun } from "../../src/ebpf/exec.ts";
import { BPFFS } from "../../src/ebpf/load.ts";
import { LIVE_DIR, socketPath } from "../../src/lab/live/paths.ts";
import { labNamespaces } from "../../src/lab/netns/claim.ts";
import { COMMANDS } from "../../src/scenario/commands.ts";
import { Cli, type CliResult } from "../kernel/cli.ts";
import { describeNetns } from "./require.ts";

const tag = randomBytes(3).toString("hex");

/** Everything of a lab that the machine shows. */
const leftOf = (p: string): string[] => [
  ...labNamespaces(p),
  ...readdirSync(BPFFS).filter((f) => f.startsWith(`guelab-lab-${p}-`)),
  ...(existsSync(LIVE_DIR) ? readdirSync(LIVE_DIR).filter((f) => f === p || f.startsWith(`${p}.`)) : []),
];

describeNetns("a live lab", () => {
  let cli: Cli;
  const prefixes: string[] = [];
  const prefix = (name: string): string => {
    prefixes.push(`v${tag}${name}`);
    return `v${tag}${name}`;
  };
  beforeAll(async () => {
    cli = await Cli.build();
  });
  afterAll(() => {
    for (const p of prefixes) if (leftOf(p).length > 0) cli.run("topo_cleanup", "--prefix", p);
    cli.close();
  });

  /** Runs one line of the demo; the prefix stands behind the command's name. */
  const on = (p: string, ...words: string[]): CliResult => cli.run(words[0], "--prefix", p, ...words.slice(1));
  const ok = (p: string, ...words: string[]): string => {
    const r = on(p, ...words);
    expect(r.stderr, words.join(" ")).toBe("");
    expect(r.status, words.join(" ")).toBe(0);
    return r.stdout;
  };

  it("takes the demo's text line by line, and is gone after topo_cleanup", () => {
    const p = prefix("demo");
    expect(ok(p, "topo_setup", "basic.cfg")).toContain("owns 5.5.5.5");
    expect(ok(p, "topo_check", "basic.cfg")).toContain("behind nat");
    ok(p, "http_start", "node1", "1.1.1.1", "4000", "100");
    ok(p, "http_start.sh", "node2", "2.2.2.2", "4000", "200");
    ok(p, "exec", "egw", "pfc_start.sh", "eth1", "egw", "11", "11", "5000", "5010");
    ok(p, "exec", "node2", "pfc_start", "eth1", "node2", "9", "8", "6000", "6010", "1");
    const service = ["tcp", "5.5.5.5", "3200", "2.2.2.2", "4000"];
    ok(p, "exec", "egw", "pfc_add", "eth1", "1", "200", "5erv1ceP@55w0rd!", "0", "0", ...service);
    ok(p, "exec", "node2", "pfc_add", "-p", "eth1", "1", "200", "5erv1ceP@55w0rd!", "172.1.0.3", "5000", ...service);
    expect(ok(p, "exec", "client", "curl", "-s", "http://5.5.5.5:3200/hello")).toContain("HELLO '200' from 'node2'");
    expect(ok(p, "exec", "egw", "pfc_list")).toContain("172.1.0.5:6000");
    expect(ok(p, "test_icmp", "5.5.5.5", "client node1")).toContain("node1 -> 5.5.5.5: 3 of 3 answered");
    // The host's shell is a real one, with the demo's names on its PATH.
    const shell = cli.runBy(
      "sh",
      ["-c", 'echo "port_list.sh; ip -br address" | "$@"', "sh"],
      "cli",
      "--prefix",
      p,
      "egw",
    );
    expect(shell.stdout).toContain("free: 5001-5010");
    expect(shell.stdout).toMatch(/eth1\S* +UP +172\.1\.0\.3\/16/);
    ok(p, "http_stop", "node1", "1.1.1.1", "4000");
    ok(p, "exec", "egw", "pfc_delete", "1", "200");
    ok(p, "exec", "egw", "pfc_stop", "eth1");
    expect(on(p, "exec", "client", "curl", "-s", "-m", "2", "http://5.5.5.5:3200/hello").status).not.toBe(0);
    expect(ok(p, "topo_cleanup", "basic.cfg")).toContain("removed 5 hosts");
    expect(leftOf(p)).toEqual([]);
  });

  it("refuses what is wrong in its own words, with exit code 2", () => {
    const p = prefix("bad");
    const refused = (code: string, ...words: string[]): void => {
      const r = on(p, ...words);
      expect(r.stderr, words.join(" ")).toContain(code);
      expect(r.stderr).not.toContain("    at ");
      expect(r.status).toBe(2);
    };
    refused("ERR_LAB_DOWN", "http_start", "node1", "1.1.1.1", "4000", "100");
    refused("ERR_LAB_DOWN", "topo_cleanup");
    refused("ERR_FILE", "topo_setup", "nowhere.cfg");
    ok(p, "topo_setup", "basic.cfg");
    refused("ERR_LAB_UP", "topo_setup", "basic.cfg");
    refused("ERR_MISSING_ARGUMENT", "http_start", "node1", "1.1.1.1");
    refused("ERR_HOST_UNKNOWN", "http_start", "node9", "1.1.1.1", "4000", "100");
    refused("ERR_HOST_UNKNOWN", "exec", "node9", "pfc_list");
    refused("ERR_NIC_UNKNOWN", "exec", "egw", "pfc_start", "eth9", "egw", "9", "9", "5000", "5010");
    refused("ERR_NIC_UNKNOWN", "pktdump", "egw", "eth9");
    refused("ERR_TOPOLOGY_OTHER", "topo_cleanup", "2gw.cfg");
    // A word is a word: nothing of it reaches a shell.
    refused("ERR_BAD_ARGUMENT", "test_icmp", "5.5.5.5; touch /tmp/guelab-was-here");
    expect(existsSync("/tmp/guelab-was-here")).toBe(false);
    expect(on(p, "exec", "egw", "pfc_lsit").status).toBe(127);
    ok(p, "topo_cleanup");
    expect(leftOf(p)).toEqual([]);
  });

  it("says of the kernel's own tunnels which option is missing, or sets one up", () => {
    const p = prefix("fou");
    ok(p, "topo_setup", "basic.cfg");
    const hasFou = tryRun("ip", ["fou", "show"]).status === 0;
    const r = on(p, "pfc_setup", "node1", "100", "tcp", "1.1.1.1", "4000", "172.1.0.3", "6080", "10.1.1.100");
    if (hasFou) expect(r.status).toBe(0);
    else expect(r.stderr).toMatch(/CONFIG_NET_FOU \(module fou\).*ERR_NO_FOU/);
    ok(p, "topo_cleanup");
  });

  it("shows packets as they pass, with pktdump", async () => {
    const p = prefix("dump");
    ok(p, "topo_setup", "basic.cfg");
    const dump = cli.open("pktdump", "--prefix", p, "-c", "2", "egw", "eth1", "icmp");
    await dump.until(/listening on eth1/);
    ok(p, "exec", "client", "ping", "-c", "1", "5.5.5.5");
    expect(await dump.ended).toBe(0);
    expect(dump.said).toMatch(/172\.1\.0\.2 > 5\.5\.5\.5: ICMP echo request/);
    ok(p, "topo_cleanup");
  });

  it("is cleaned up after its process was killed, and another lab stays", async () => {
    const [p, q] = [prefix("dead"), prefix("stays")];
    ok(q, "topo_setup", "basic.cfg");
    ok(p, "topo_setup", "basic.cfg");
    ok(p, "exec", "egw", "pfc_start", "eth1", "egw", "9", "9", "5000", "5010");
    process.kill(Number(readFileSync(`${LIVE_DIR}/${p}`, "utf8").split(" ")[0]), "SIGKILL");
    expect(leftOf(p).length).toBeGreaterThan(0);
    expect(ok(p, "topo_cleanup")).toContain("removed what");
    expect(leftOf(p)).toEqual([]);
    expect(ok(q, "test_icmp", "5.5.5.5", "client")).toContain("3 of 3");
    ok(q, "topo_cleanup");
  });

  it("is cleaned up after SIGKILL at ten moments of its start", async () => {
    const p = prefix("ten");
    // From the first namespace to the lab's socket: what is there when the signal comes tells the moments apart.
    for (let moment = 1; moment <= 10; moment++) {
      const setup = cli.start("topo_setup", "--prefix", p, "basic.cfg");
      const ended = new Promise((done) => setup.on("close", done));
      const reached = (): boolean => existsSync(socketPath(p)) || leftOf(p).length >= moment || setup.exitCode !== null;
      while (!reached()) await new Promise((next) => setTimeout(next, 1));
      const owner = existsSync(`${LIVE_DIR}/${p}`) ? readFileSync(`${LIVE_DIR}/${p}`, "utf8").split(" ")[0] : "";
      if (owner !== "") process.kill(Number(owner), "SIGKILL");
      setup.kill("SIGKILL");
      await ended;
      if (leftOf(p).some((f) => f === p)) ok(p, "topo_cleanup");
      else ok(p, "topo_setup", "basic.cfg") && ok(p, "topo_cleanup");
      expect(leftOf(p), `moment ${moment}`).toEqual([]);
    }
  });

  it("has help for every command, with what undoes it", () => {
    for (const spec of COMMANDS.filter((c) => c.scope === "lab" && c.name !== "wait" && c.name !== "tables")) {
      const r = cli.run(spec.name, "--help");
      expect(r.status).toBe(0);
      expect(r.stdout).toContain(spec.summary);
      if (spec.undo) expect(r.stdout).toContain(`Undone by ${spec.undo}.`);
    }
  });
});
