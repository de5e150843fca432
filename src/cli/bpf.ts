/** `guelab bpf ...`: builds, loads, attaches, shows and detaches the eBPF programs. */
import { mkdirSync } from "node:fs";
import { Command } from "commander";
import { type Attachment, attach, detach, detachAll, listAttachments } from "../ebpf/attach.ts";
import { buildPrograms } from "../ebpf/build.ts";
import { parseSizes, requireRoot, requireSizes } from "../ebpf/instance.ts";
import { instanceOf, loadInstance } from "../ebpf/load.ts";
import { openNetns } from "../ebpf/nsenter.ts";
import { LabError } from "../errors.ts";
import { parseUint } from "../scenario/arg-types.ts";
import { type FlagSide, flagNames, parseFlags } from "../tables/text.ts";

/** Where no name is given. */
export const DEFAULT_INSTANCE = "default";

const INSTANCE = ["--instance <name>", "name of the instance", DEFAULT_INSTANCE] as const;
const NETNS = [
  "--netns <name>",
  "network namespace: a name of `ip netns`, or a path such as /proc/PID/ns/net (default: this one)",
] as const;

export function bpfCommand(): Command {
  const bpf = new Command("bpf")
    .description("build, load, attach and watch the eBPF programs")
    .addHelpText(
      "after",
      "\nAn instance is one host's programs and tables, pinned below /sys/fs/bpf/guelab-NAME. Exit codes: 0 done, 2 bad\ninput or something is missing.",
    );
  bpf
    .command("build")
    .description("compile the programs with clang and print where the objects are")
    .option("--out <dir>", "directory for the objects (default: a cache)")
    .action((options: { out?: string }) => {
      if (options.out !== undefined) mkdirSync(options.out, { recursive: true });
      for (const path of Object.values(buildPrograms(options))) print(path);
    });
  bpf
    .command("load")
    .description("load the programs and pin them with their tables; what is loaded stays as it is")
    .option(...INSTANCE)
    .option("--sizes <sizes>", "maximum entries of tables: SESSION=1048576,TUNNEL=1024")
    .action(load);
  bpf
    .command("attach")
    .description("attach a loaded instance to both hooks of an interface, and set its flags")
    .argument("<nic>", "interface")
    .option(...INSTANCE)
    .option(...NETNS)
    .option(
      "--rx <flags>",
      `ingress flags, a number or ${flagNames("rx").join("+")} (default: as they are, gue at first)`,
    )
    .option("--tx <flags>", `egress flags, a number or ${flagNames("tx").join("+")} (default: as they are, 0 at first)`)
    .option("--mtu <bytes>", "CONFIG.mtu; 0 = unchecked (default: the interface's)")
    .action(attachNic);
  bpf
    .command("detach")
    .description("detach from an interface; with --all from every one, and remove the instances' programs and tables")
    .argument("[nic]", "interface")
    .option(...NETNS)
    .option("--all", "remove everything that guelab made on this machine, or of one --instance")
    .option("--instance <name>", "with --all: this instance only")
    .action(detachNic);
  bpf
    .command("show")
    .description("show instances, programs, and where they are attached, from the kernel's own state")
    .option("--json", "as JSON")
    .action(async (options: { json?: boolean }) => {
      requireRoot();
      (await import("./bpf-show.ts")).show(options.json ?? false);
    });
  bpf
    .command("log")
    .description("print the events of the dump flag as they come; time is since boot")
    .option(...INSTANCE)
    .option("--once", "print what is there and end")
    .option("--count <n>", "end after so many events")
    .action(async (options: { instance: string; once?: boolean; count?: string }) => {
      const count = options.count === undefined ? undefined : number(options.count, "count");
      requireRoot();
      await (await import("./bpf-log.ts")).printLog({ ...options, count });
    });
  return bpf;
}

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

function load(options: { instance: string; sizes?: string }): void {
  const sizes = options.sizes === undefined ? {} : parseSizes(options.sizes);
  requireRoot();
  const instance = loadInstance(options.instance, { sizes });
  requireSizes(instance, sizes);
  print(instance.dir);
}

interface AttachArgs {
  instance: string;
  netns?: string;
  rx?: string;
  tx?: string;
  mtu?: string;
}

function attachNic(nic: string, options: AttachArgs): void {
  const rx = options.rx === undefined ? undefined : flags(options.rx, "rx");
  const tx = options.tx === undefined ? undefined : flags(options.tx, "tx");
  const mtu = options.mtu === undefined ? undefined : number(options.mtu, "mtu");
  requireRoot();
  const at = attach(instanceOf(options.instance), { nic, netns: options.netns, rx, tx, mtu });
  print(`attached ${placeText(at)} to ${options.instance}`);
}

function detachNic(nic: string | undefined, options: { netns?: string; all?: boolean; instance?: string }): void {
  if ((nic !== undefined) === (options.all ?? false))
    throw new LabError("ERR_BAD_ARGUMENT", "give either an interface or --all", {
      hint: "guelab bpf detach NIC [--netns NAME], or guelab bpf detach --all [--instance NAME]",
    });
  requireRoot();
  if (nic === undefined) detachEverything(options.instance);
  else detachFrom(nic, options.netns);
}

function detachFrom(nic: string, netns: string | undefined): void {
  const ns = openNetns(netns);
  const found = listAttachments().filter(
    (at) => at.nic === nic && (at.ns ? at.ns.inode === ns.inode : at.record?.inode === ns.inode),
  );
  for (const at of found) {
    detach(at);
    print(`detached ${placeText(at)}`);
  }
  if (found.length === 0) print(`nothing of guelab is attached to ${nic}`);
}

function detachEverything(instance: string | undefined): void {
  const { detached, unloaded } = detachAll(instance);
  for (const at of detached) print(`detached ${placeText(at)}`);
  for (const { name } of unloaded) print(`removed instance ${name}`);
  if (detached.length + unloaded.length === 0) print("nothing of guelab is loaded or attached");
}

/** `eth1`, `eth1 in node1`. */
const placeText = (at: Attachment): string => `${at.nic}${at.netns && ` in ${at.netns}`}`;

function flags(text: string, side: FlagSide): number {
  const bits = parseFlags(side, text);
  if (bits !== undefined) return bits;
  throw new LabError("ERR_BAD_ARGUMENT", `'${text}' are not ${side === "rx" ? "ingress" : "egress"} flags`, {
    hint: `A number, or names joined by +: ${flagNames(side).join(", ")}.`,
  });
}

function number(text: string, what: string): number {
  const n = parseUint(text, 0xffffffff);
  if (n !== undefined) return n;
  throw new LabError("ERR_BAD_ARGUMENT", `--${what}: '${text}' is not a number`, { hint: "Give digits only." });
}
