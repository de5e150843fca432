/** `guelab bpf show`: instances, programs and attachments as text or JSON. */
import { closeSync } from "node:fs";
import { join } from "node:path";
import { type Attachment, listAttachments } from "../ebpf/attach.ts";
import { objGet } from "../ebpf/bpf.ts";
import { HOOK_NAMES } from "../ebpf/build.ts";
import { type InstanceState, inspectInstance, type ProgramState, statsEnabled } from "../ebpf/instance.ts";
import { type Instance, instanceOf, listInstances, mapsDir } from "../ebpf/load.ts";
import { KernelMap } from "../ebpf/maps.ts";
import { LabError } from "../errors.ts";
import { alignColumns } from "../scenario/table-print.ts";
import { TABLES, type TableName } from "../tables/schema.ts";
import { formatFlags } from "../tables/text.ts";

/** What an interface's CONFIG and STATS say; undefined where the maps have no entry. */
interface NicState {
  rx?: string;
  tx?: string;
  mtu?: number;
  packetsIn?: number;
  packetsOut?: number;
}

export function show(json: boolean): void {
  const instances = listInstances().map(inspectInstance);
  const attachments = listAttachments();
  process.stdout.write(json ? `${toJson(instances, attachments)}\n` : toText(instances, attachments));
}

function toJson(instances: InstanceState[], attachments: Attachment[]): string {
  const out = {
    instances: instances.map(({ instance, whole, programs, sizes }) => ({ ...instance, whole, programs, sizes })),
    attachments: attachments.map((at) => ({
      instance: at.instance ?? null,
      netns: at.netns,
      nic: at.nic,
      ifindex: at.ifindex,
      present: at.ns !== undefined,
      hooks: at.hooks,
      clsact: at.record?.clsact ?? false,
      ...nicState(at),
    })),
  };
  return JSON.stringify(out, null, 2);
}

function toText(instances: InstanceState[], attachments: Attachment[]): string {
  if (instances.length + attachments.length === 0) return "nothing of guelab is loaded or attached\n";
  const lines: string[] = [];
  for (const state of instances) {
    const { instance, whole } = state;
    lines.push(`instance ${instance.name}  ${instance.dir}${whole ? "" : "  incomplete: a load was interrupted"}`);
    for (const hook of HOOK_NAMES) {
      const program = state.programs[hook];
      if (program) lines.push(`  ${hook.padEnd(8)} program ${program.id}  tag ${program.tag}  ${runsText(program)}`);
    }
    lines.push(...attachmentLines(attachments.filter((at) => at.instance === instance.name)));
  }
  const orphans = attachments.filter((at) => at.instance === undefined);
  if (orphans.length > 0) lines.push("attached, but no longer pinned", ...attachmentLines(orphans));
  return `${lines.join("\n")}\n`;
}

function runsText(program: ProgramState): string {
  if (program.runs !== undefined && program.runs > 0)
    return `ran ${program.runs} times, ${Math.round((program.runNs ?? 0) / program.runs)} ns each`;
  return statsEnabled() ? "has not run" : "runs not counted (sysctl kernel.bpf_stats_enabled=1)";
}

function attachmentLines(attachments: Attachment[]): string[] {
  if (attachments.length === 0) return [];
  const header = ["nic", "netns", "ingress", "egress", "rx", "tx", "mtu", "packets in", "packets out", "note"];
  const rows = attachments.map((at) => {
    const s = nicState(at);
    const cells = [at.hooks.ingress, at.hooks.egress, s.rx, s.tx, s.mtu, s.packetsIn, s.packetsOut];
    return [at.nic, at.netns || "-", ...cells.map((c) => (c === undefined ? "-" : String(c))), note(at)];
  });
  return alignColumns([header, ...rows]).map((line) => `  ${line.trimEnd()}`);
}

/** What is out of order with an attachment. */
function note(at: Attachment): string {
  if (!at.ns) return "gone: the interface or its namespace is no more";
  const missing = HOOK_NAMES.filter((hook) => at.hooks[hook] === undefined);
  return missing.length === 0 ? "" : `incomplete: nothing at ${missing.join(" and ")}`;
}

function nicState(at: Attachment): NicState {
  if (at.instance === undefined) return {};
  const instance = instanceOf(at.instance);
  const config = lookup(instance, "CONFIG", at.ifindex) as { rx: number; tx: number; mtu: number } | undefined;
  const stats = lookup(instance, "STATS", at.ifindex) as { rx_packets: number; tx_packets: number } | undefined;
  return {
    rx: config && formatFlags("rx", config.rx),
    tx: config && formatFlags("tx", config.tx),
    mtu: config?.mtu,
    packetsIn: stats?.rx_packets,
    packetsOut: stats?.tx_packets,
  };
}

/** One entry by interface index; undefined where there is no entry, or no such map (a load was interrupted). */
function lookup(instance: Instance, table: TableName, ifindex: number): unknown {
  const def = TABLES[table];
  let fd: number;
  try {
    fd = objGet(join(mapsDir(instance), table));
  } catch (err) {
    if (err instanceof LabError) return undefined;
    throw err;
  }
  try {
    const value = new KernelMap(def, fd).lookup(def.key.encode({ value: ifindex } as never));
    return value && def.value.decode(value);
  } catch (err) {
    if (err instanceof LabError && err.code === "ERR_MAP_LAYOUT") return undefined;
    throw err;
  } finally {
    closeSync(fd);
  }
}
