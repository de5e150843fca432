/**
 * Nothing is left that guelab does not know of: `bpf load` and `bpf attach` killed at random moments, and what each command
 * says where something is missing. The command line runs as a process of its own.
 */
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { clsactNics, ownFilter } from "../../src/ebpf/filters.ts";
import { type Instance, instanceOf } from "../../src/ebpf/load.ts";
import type { NetNs } from "../../src/ebpf/nsenter.ts";
import { readRecords } from "../../src/ebpf/record.ts";
import { Cli, type CliResult } from "./cli.ts";
import { TestNet, tc, veth } from "./net.ts";
import { describeKernel } from "./require.ts";

interface Shown {
  instances: { name: string; whole: boolean }[];
  attachments: { instance: string | null; netns: string; nic: string; hooks: object; clsact: boolean }[];
}

/** Kills of each command; pins that a load makes one after the other: directories, maps and programs. */
const KILLS = 10;
const PINS = 16;

describeKernel("the command line, killed", () => {
  let cli: Cli;
  let net: TestNet;
  let host: NetNs;
  beforeAll(async () => {
    cli = await Cli.build();
    net = new TestNet();
    host = net.namespace("h");
    veth({ ns: host, nic: "n0" }, { ns: host, nic: "n1" });
    // Someone else's filter on the neighbour NIC, and a qdisc of someone else's.
    tc(host, "qdisc add dev n1 clsact");
    tc(host, "filter add dev n1 ingress pref 5 protocol ip u32 match u32 0 0");
  });
  afterAll(() => {
    net?.close();
    cli?.close();
  });

  const ok = (r: CliResult): string => {
    expect(r.stderr).toBe("");
    expect(r.status).toBe(0);
    return r.stdout;
  };
  const shown = (): Shown => JSON.parse(ok(cli.run("bpf", "show", "--json")));
  const pins = (i: Instance): number => (existsSync(i.dir) ? readdirSync(i.dir, { recursive: true }).length + 1 : 0);
  const hooks = (nic: string) => ({
    ingress: ownFilter(host, nic, "ingress")?.progId,
    egress: ownFilter(host, nic, "egress")?.progId,
  });

  /** Starts a command and kills it as soon as it has come as far as `reached` says; gives whether it was still running. */
  async function killWhen(reached: () => boolean, ...args: string[]): Promise<boolean> {
    const child = cli.start(...args);
    const exited = once(child, "exit");
    const running = () => existsSync(`/proc/${child.pid}/exe`) || existsSync(`/proc/${child.pid}/fd/0`);
    while (running() && !reached());
    child.kill("SIGKILL");
    const [, signal] = await exited;
    return signal === "SIGKILL";
  }

  /** What an instance left is listed, and goes with `detach --all`; what others made stays. */
  function expectKnownAndRemovable(instance: Instance): void {
    const { instances, attachments } = shown();
    expect(instances.some((i) => i.name === instance.name)).toBe(existsSync(instance.dir));
    const mine = attachments.filter((at) => at.netns === host.name);
    const there = JSON.parse(JSON.stringify(hooks("n0")));
    const made = clsactNics(host).has("n0");
    if (made || Object.keys(there).length > 0)
      expect(mine).toMatchObject([{ nic: "n0", instance: instance.name, hooks: there, clsact: true }]);
    ok(cli.run("bpf", "detach", "--all", "--instance", instance.name));
    expect(existsSync(instance.dir)).toBe(false);
    expect(clsactNics(host)).toEqual(new Set(["n1"]));
    expect(tc(host, "filter show dev n1 ingress")).toContain("u32");
    const after = shown();
    expect(after.instances.filter((i) => i.name === instance.name)).toEqual([]);
    expect(after.attachments.filter((at) => at.netns === host.name)).toEqual([]);
  }

  it("while it loads", { timeout: 120_000 }, async () => {
    let killed = 0;
    const moments = fc.sample(fc.integer({ min: 0, max: PINS - 1 }), KILLS);
    for (const [n, moment] of moments.entries()) {
      const instance = instanceOf(net.instanceName(`load${n}`));
      if (await killWhen(() => pins(instance) > moment, "bpf", "load", "--instance", instance.name)) killed++;
      // The next load mends what was left; every other time it is removed as it is.
      if (n % 2 === 0) {
        ok(cli.run("bpf", "load", "--instance", instance.name));
        expect(shown().instances).toContainEqual(expect.objectContaining({ name: instance.name, whole: true }));
      }
      expectKnownAndRemovable(instance);
    }
    expect(killed, `moments ${moments}`).toBeGreaterThanOrEqual(KILLS / 2);
  });

  it("while it attaches", { timeout: 120_000 }, async () => {
    const instance = net.load("attach");
    let killed = 0;
    const stages = [
      () => readRecords(instance).length > 0,
      () => clsactNics(host).has("n0"),
      () => ownFilter(host, "n0", "ingress") !== undefined,
      () => ownFilter(host, "n0", "egress") !== undefined,
    ];
    const moments = fc.sample(fc.integer({ min: 0, max: stages.length - 1 }), KILLS);
    const attach = ["bpf", "attach", "n0", "--netns", host.name, "--instance", instance.name];
    for (const [n, moment] of moments.entries()) {
      if (await killWhen(stages[moment], ...attach)) killed++;
      if (n % 2 === 0) {
        ok(cli.run(...attach));
        expect(Object.values(hooks("n0")).every((id) => id !== undefined)).toBe(true);
      }
      expectKnownAndRemovable(instance);
      ok(cli.run("bpf", "load", "--instance", instance.name));
    }
    expect(killed, `moments ${moments}`).toBeGreaterThanOrEqual(KILLS / 2);
  });

  it("detaches from one NIC, and says when there is nothing", () => {
    const instance = net.load("one").name;
    const at = ["--netns", host.name];
    expect(ok(cli.run("bpf", "attach", "n0", ...at, "--instance", instance, "--rx", "gue+dump", "--tx", "9"))).toBe(
      `attached n0 in ${host.name} to ${instance}\n`,
    );
    expect(ok(cli.run("bpf", "show"))).toMatch(
      new RegExp(`instance ${instance} .*\\n(.*\\n)*? +n0 +${host.name} +\\d+ +\\d+ +gue\\+dump +proxy\\+dump +1500 `),
    );
    expect(ok(cli.run("tables", "config", "--instance", instance))).toMatch(
      /^TABLE-CONFIG:\n {2}ifindex .*\n {2}\d+ +gue\+dump +proxy\+dump +1500\n$/,
    );
    expect(ok(cli.run("tables", "--pin", instanceOf(instance).dir))).toContain("TABLE-SESSION: empty");
    expect(ok(cli.run("bpf", "detach", "n0", ...at))).toBe(`detached n0 in ${host.name}\n`);
    expect(ok(cli.run("bpf", "detach", "n0", ...at))).toBe("nothing of guelab is attached to n0\n");
  });

  it("removes everything on a machine that it has for itself", () => {
    // Namespaces of its own for mounts, processes and network: nobody else's instances are in sight.
    const script = `set -e
      mount -t bpf bpf /sys/fs/bpf; mount -t tmpfs none /run
      ip link add n0 type veth peer name n1
      g() { "$NODE" "$CLI" "$@"; }
      g bpf load --instance a; g bpf load --instance b
      g bpf attach n0 --instance a; g bpf attach n1 --instance b
      rm -r /sys/fs/bpf/guelab-b
      g bpf detach --all
      ls -A /sys/fs/bpf; tc qdisc show dev n0; tc filter show dev n1 ingress; g bpf show`;
    const r = cli.runBy("unshare", [
      ...ALONE,
      "env",
      `CLI=${cli.path}`,
      `NODE=${process.execPath}`,
      "sh",
      "-c",
      script,
    ]);
    expect(r.stderr).toBe("");
    const after = r.stdout.split("attached n1 to b\n")[1].trimEnd().split("\n");
    expect(after.slice(0, 2).sort()).toEqual(["detached n0", "detached n1"]);
    expect(after.slice(2)).toEqual([
      "removed instance a",
      "maps.debug",
      "progs.debug",
      "nothing of guelab is loaded or attached",
    ]);
  });
});

/** A machine of its own: mounts, processes and network. */
const ALONE = ["--mount", "--pid", "--fork", "--mount-proc", "--net"];

describeKernel("the command line, where something is missing", () => {
  let cli: Cli;
  let cache: string;
  beforeAll(async () => {
    cli = await Cli.build();
    cache = mkdtempSync(join(tmpdir(), "guelab-cache-"));
  });
  afterAll(() => {
    cli?.close();
    if (cache) rmSync(cache, { recursive: true });
  });

  function expectMissing(r: CliResult, code: string, how: RegExp): void {
    expect(r.stderr).toContain(`(${code})`);
    expect(r.stderr).toMatch(how);
    expect(r.stderr).not.toContain("defect");
    expect(r.status).toBe(2);
  }
  const NEEDS_ROOT = [
    ["bpf", "load"],
    ["bpf", "attach", "eth9"],
    ["bpf", "detach", "eth9"],
    ["bpf", "detach", "--all"],
    ["bpf", "show"],
    ["bpf", "log"],
    ["tables"],
  ];

  it.each(NEEDS_ROOT.map((args) => [args.join(" "), args] as const))("%s says that it needs root", (_title, args) => {
    const plain = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    expectMissing(cli.runBy("setpriv", plain, ...args), "ERR_NO_BPF", /sudo/);
    // Root without capabilities, as in a container.
    expectMissing(cli.runBy("setpriv", ["--bounding-set=-all"], ...args), "ERR_NO_BPF", /CAP_BPF/);
  });

  it("says that clang is missing", () => {
    const env = [`PATH=${cache}`, `XDG_CACHE_HOME=${cache}`];
    for (const command of ["build", "load"])
      expectMissing(cli.runBy("env", env, "bpf", command), "ERR_NO_CLANG", /apt-get install clang/);
  });

  it("says that headers are missing", () => {
    const script = 'mount -t tmpfs none /usr/include/bpf && exec "$@"';
    const by = ["--mount", "env", `XDG_CACHE_HOME=${cache}`, "sh", "-c", script, "-"];
    expectMissing(cli.runBy("unshare", by, "bpf", "build"), "ERR_NO_BPF_HEADERS", /apt-get install libbpf-dev/);
  });

  it.each([
    ["bpftool", ["bpf", "load"], "ERR_NO_BPFTOOL"],
    ["tc", ["bpf", "show"], "ERR_NO_TC"],
    ["mount", ["bpf", "load"], "ERR_NO_MOUNT"],
  ] as const)("says that %s is missing", (tool, args, code) => {
    // A machine without it: bpffs is not mounted yet, and all directories of programs are empty but for the others.
    const script = `mount -t tmpfs none /run && mkdir /run/bin
      for t in bpftool tc ip clang nsenter mount; do [ $t = ${tool} ] || ln -s "$(readlink -f "$(command -v $t)")" /run/bin/$t; done
      ${tool === "mount" ? "umount /sys/fs/bpf" : "mount -t bpf bpf /sys/fs/bpf"}
      mkdir /run/lib && mount --bind /usr/bin /run/lib && mkdir /run/none && mount --bind /run/none /usr/sbin && mount --bind /run/none /sbin
      PATH=/run/bin exec "$@"`;
    const r = cli.runBy("unshare", [...ALONE, "sh", "-c", script, "-"], ...args);
    expectMissing(r, code, /apt-get install/);
  });
});
