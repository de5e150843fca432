/** `guelab bpf ...`: builds, loads, attaches and shows the eBPF programs. */
import { closeSync, existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import { type Attachment, attach, detach, detachAll, isAttached, listAttachments } from "../ebpf/attach.ts";
import { objGet } from "../ebpf/bpf.ts";
import { buildPrograms, HOOK_NAMES, type HookName } from "../ebpf/build.ts";
import { EVENT_HAS_ENTRY, EVENT_PROXY, EVENTS_NAME, event, HOOK_INGRESS } from "../ebpf/event.ts";
import {
  instanceOf,
  isLoaded,
  listInstances,
  loadInstance,
  type MapSizes,
  mapsDir,
  unloadInstance,
} from "../ebpf/load.ts";
import { RingReader } from "../ebpf/ringbuf.ts";
import { LabError } from "../errors.ts";
import { hookText } from "../report/hook-text.ts";
import { paintFor } from "../report/paint.ts";
import { labTime } from "../report/trace.ts";
import type { HookNote } from "../scenario/lab.ts";
import { REASON_NAMES, REASONS } from "../tables/reasons.ts";
import { TABLES, type TableName } from "../tables/schema.ts";
import { summary } from "../wire/summary.ts";

const DEFAULT_INSTANCE = "default";

export function bpfCommand(): Command {
  const bpf = new Command("bpf").description("build, load, attach and watch the eBPF programs");
  bpf
    .command("build")
    .description("compile bpf/*.bpf.c with clang and print the objects' paths")
    .option("--out <dir>", "where to put them (default: a cache)")
    .action((options: { out?: string }) => {
      for (const path of Object.values(buildPrograms(options))) print(path);
    });
  bpf
    .command("load")
    .description("load the programs and pin them with their maps")
    .argument("[instance]", "name of the instance", DEFAULT_INSTANCE)
    .option("--size <TABLE=n>", "maximum entries of a table; may be repeated", size, {} as MapSizes)
    .action((name: string, options: { size: MapSizes }) => {
      print(loadInstance(name, { sizes: options.size }).dir);
    });
  bpf
    .command("unload")
    .description("detach and unload an instance")
    .argument("[instance]", "name of the instance", DEFAULT_INSTANCE)
    .action((name: string) => {
      const instance = instanceOf(name);
      for (const at of detach(instance)) print(`detached ${where(at)}`);
      unloadInstance(instance);
    });
  bpf
    .command("attach")
    .description("attach a loaded instance to an interface; loads it first if need be")
    .argument("<dev>", "interface")
    .argument("[instance]", "name of the instance", DEFAULT_INSTANCE)
    .option("--netns <path>", "network namespace: a name of ip-netns(8), or a path")
    .addOption(new Option("--hook <name>", "only this hook").choices(HOOK_NAMES))
    .action((dev: string, name: string, options: { netns?: string; hook?: HookName }) => {
      const instance = loadInstance(name);
      attach(instance, dev, netnsPath(options.netns), options.hook ? [options.hook] : HOOK_NAMES);
      for (const { at } of listAttachments(instance)) print(`attached ${where(at)}`);
    });
  bpf
    .command("detach")
    .description("detach an instance from an interface, or everything that guelab made")
    .argument("[dev]", "interface")
    .argument("[instance]", "name of the instance", DEFAULT_INSTANCE)
    .option("--all", "detach and unload every instance on this machine")
    .action((dev: string | undefined, name: string, options: { all?: boolean }) => {
      if (options.all) return detachEverything();
      if (dev === undefined)
        throw new LabError("ERR_MISSING_ARGUMENT", "which interface?", {
          hint: "guelab bpf detach DEV [INSTANCE], or guelab bpf detach --all",
        });
      const gone = detach(instanceOf(name), dev);
      if (gone.length === 0)
        throw new LabError("ERR_NOT_ATTACHED", `instance '${name}' is not attached to ${dev}`, {
          hint: "`guelab bpf show` lists what is attached.",
        });
      for (const at of gone) print(`detached ${where(at)}`);
    });
  bpf.command("show").description("list instances and where they are attached").action(show);
  bpf
    .command("log")
    .description("print the events of the dump flag as they come")
    .argument("[instance]", "name of the instance", DEFAULT_INSTANCE)
    .option("--once", "print what is there and end")
    .action((name: string, options: { once?: boolean }) => log(name, options.once ?? false));
  return bpf;
}

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

function size(text: string, sizes: MapSizes): MapSizes {
  const m = /^([A-Z]+)=(\d{1,8})$/.exec(text);
  if (!m || !Object.hasOwn(TABLES, m[1]) || Number(m[2]) === 0)
    throw new InvalidArgumentError("Expected TABLE=n, such as SESSION=1048576.");
  return { ...sizes, [m[1] as TableName]: Number(m[2]) };
}

function netnsPath(netns: string | undefined): string | undefined {
  return netns === undefined || netns.includes("/") ? netns : join("/run/netns", netns);
}

const where = (at: Attachment): string => `${at.netns === "" ? "" : `${at.netns} `}${at.dev} ${at.hook}`;

function detachEverything(): void {
  const all = detachAll();
  for (const { instance, attachments } of all) {
    for (const at of attachments) print(`detached ${where(at)}`);
    print(`unloaded ${instance.name}`);
  }
  if (all.length === 0) print("nothing of guelab is loaded");
}

function show(): void {
  const instances = listInstances();
  if (instances.length === 0) print("nothing of guelab is loaded");
  for (const instance of instances) {
    const whole = isLoaded(instance);
    print(`${instance.name}  ${instance.dir}${whole ? "" : "  (incomplete: left by a killed run)"}`);
    for (const { at } of listAttachments(instance))
      print(`  ${where(at)}${whole && isAttached(instance, at) ? "" : "  (gone)"}`);
  }
}

/** How long to wait for more events, ms. */
const POLL_MS = 50;

async function log(name: string, once: boolean): Promise<void> {
  const path = join(mapsDir(instanceOf(name)), EVENTS_NAME);
  if (!existsSync(path))
    throw new LabError("ERR_PIN", `instance '${name}' is not loaded`, { hint: `Load it: guelab bpf load ${name}` });
  const fd = objGet(path);
  const ring = new RingReader(fd);
  closeSync(fd);
  for (;;) {
    ring.read((record) => print(eventLine(record)));
    if (once) break;
    await delay(POLL_MS);
  }
  ring.close();
}

/** An event as the trace of a simulated lab shows a packet. */
function eventLine(record: Uint8Array): string {
  const paint = paintFor(process.stdout);
  const e = event.decode(record);
  const hook = e.hook === HOOK_INGRESS ? "ingress" : "egress";
  const frame = e.data.slice(0, e.caplen);
  const reason = REASON_NAMES[e.reason];
  const entry = (e.flags & EVENT_HAS_ENTRY) !== 0;
  const note: HookNote = {
    hook,
    reason: e.reason,
    tunnel: entry ? e.tunnel : -1,
    group: entry ? e.id.group : -1,
    service: entry ? e.id.service : -1,
    // The record may hold less than the packet: only the difference of the two lengths counts.
    lenBefore: e.len_in - (e.len_out - e.caplen),
  };
  const style = reason && REASONS[reason].outcome === "drop" ? "red" : "green";
  const text = hookText(note, frame, (e.flags & EVENT_PROXY) !== 0);
  return `${paint("dim", labTime(e.time))} ${paint("cyan", `if${e.ifindex}`.padEnd(10))} ${hook === "ingress" ? "in " : "out"} ${summary(frame)}  ${paint(style, text)}`;
}
