/**
 * The eBPF programs on real interfaces: NICs 7 and 9 in a namespace, as the packet vectors name them, each a veth whose far
 * end a packet socket holds. What passes the ingress hook is redirected to a third veth by a filter behind guelab's.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BPF_FIB_LKUP_RET_NOT_FWDED, BPF_FIB_LKUP_RET_SUCCESS } from "../../src/dataplane/datapath.ts";
import type { FibRow } from "../../src/dataplane/vector.ts";
import { attach } from "../../src/ebpf/attach.ts";
import type { HookName } from "../../src/ebpf/build.ts";
import { run } from "../../src/ebpf/exec.ts";
import { type Instance, instanceTables } from "../../src/ebpf/load.ts";
import { closeTables, type KernelTables } from "../../src/ebpf/maps.ts";
import type { NetNs } from "../../src/ebpf/nsenter.ts";
import { REASON_NAMES, REASONS, type ReasonName } from "../../src/tables/reasons.ts";
import { TABLES } from "../../src/tables/schema.ts";
import { formatMac } from "../../src/wire/ethernet.ts";
import { formatIpv4 } from "../../src/wire/ipv4.ts";
import { ifindexOf, ip, sysctl, TestNet, tc, veth } from "./net.ts";
import { PacketSocket, type VnetHeader } from "./sockets.ts";

/** Interface indices of the vectors: the NIC under test, and the one that redirects go to. */
export const NIC = 7;
const OTHER = 9;
const MAX_MTU = 65_535;
const DEADLINE_MS = 2000;

/** Where a frame came out: on the wire, on the other NIC's wire, or behind the ingress hook. */
export type Place = "wire" | "other" | "stack";
export interface Outcome {
  /** Every reason that was counted, in slot order; a packet that goes back to its own ingress counts two. */
  reasons: ReasonName[];
  out: { place: Place; frame: Uint8Array; gsoSize: number }[];
}

/** Compiles C for tc, with `defines`; gives the object's path. */
function compileTc(dir: string, name: string, body: string, defines: Record<string, number> = {}): string {
  const source = join(dir, `${name}.bpf.c`);
  writeFileSync(
    source,
    `#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\nSEC("tc") int ${name}(struct __sk_buff *skb)\n{\n${body}\n}\nchar LICENSE[] SEC("license") = "GPL";\n`,
  );
  const object = join(dir, `${name}.o`);
  const include = `-I/usr/include/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`;
  const flags = Object.entries(defines).map(([key, value]) => `-D${key}=${value}`);
  run("ERR_CLANG", "clang", ["-O2", "-g", "-target", "bpf", include, ...flags, "-c", source, "-o", object]);
  return object;
}

export class VethRig {
  readonly net = new TestNet();
  /** The host under test, and where its wires end. */
  readonly host: NetNs;
  readonly far: NetNs;
  readonly instance: Instance;
  readonly tables: KernelTables;
  /** Sends on the wire towards the NIC, and out of the NIC. */
  private readonly wire: PacketSocket;
  private readonly nic: PacketSocket;
  private readonly places: Record<Place, PacketSocket>;
  private readonly dir = mkdtempSync(join(tmpdir(), "guelab-rig-"));
  private rows: readonly FibRow[] = [];

  constructor() {
    const { net } = this;
    this.host = net.namespace("h");
    this.far = net.namespace("f");
    sysctl(this.host, "ipv4/ip_forward", 1);
    veth({ ns: this.host, nic: "n7", index: NIC }, { ns: this.far, nic: "f7" }, MAX_MTU);
    veth({ ns: this.host, nic: "n9", index: OTHER }, { ns: this.far, nic: "f9" }, MAX_MTU);
    veth({ ns: this.host, nic: "cap" }, { ns: this.far, nic: "fcap" }, MAX_MTU);
    for (const nic of ["n7", "n9", "cap"]) ip(this.host, `link set ${nic} arp off`);
    this.instance = net.load("rig");
    this.tables = instanceTables(this.instance);
    attach(this.instance, { nic: "n7", netns: this.host.name });
    const tap = compileTc(this.dir, "tap", "\treturn bpf_redirect(TO, 0);", { TO: ifindexOf(this.host, "cap") });
    tc(this.host, `filter add dev n7 ingress pref 50000 bpf da obj ${tap} sec tc`);
    this.wire = new PacketSocket(this.far.path, ifindexOf(this.far, "f7"));
    this.nic = new PacketSocket(this.host.path, NIC);
    const other = new PacketSocket(this.far.path, ifindexOf(this.far, "f9"));
    this.places = { wire: this.wire, other, stack: new PacketSocket(this.far.path, ifindexOf(this.far, "fcap")) };
  }

  close(): void {
    for (const socket of new Set([this.nic, ...Object.values(this.places)])) socket.close();
    closeTables(this.tables);
    this.net.close();
    rmSync(this.dir, { recursive: true });
  }

  /** Puts a filter before guelab's. */
  addFilter(hook: HookName, pref: number, name: string, body: string): void {
    tc(this.host, `filter add dev n7 ${hook} pref ${pref} bpf da obj ${compileTc(this.dir, name, body)} sec tc`);
  }
  removeFilter(hook: HookName, pref: number): void {
    tc(this.host, `filter del dev n7 ${hook} pref ${pref}`);
  }

  /**
   * Real routes and neighbours for what the FIB is to answer; gives the rows that it does answer: an interface has one MAC.
   * Undefined where this host cannot be made to answer it.
   */
  setFib(rows: readonly FibRow[]): readonly FibRow[] | undefined {
    for (const row of this.rows) ip(this.host, `route flush exact ${formatIpv4(row.daddr)}/32`);
    const possible = rows.every(
      (row) =>
        row.rc === BPF_FIB_LKUP_RET_NOT_FWDED ||
        (row.rc === BPF_FIB_LKUP_RET_SUCCESS && (row.ifindex === NIC || row.ifindex === OTHER)),
    );
    const found = rows.filter((row) => row.rc === BPF_FIB_LKUP_RET_SUCCESS);
    this.rows = found.filter((row) => row.smac === found.find((r) => r.ifindex === row.ifindex)?.smac);
    if (!possible) return undefined;
    for (const { daddr, ifindex, smac, dmac } of this.rows) {
      const nic = `n${ifindex}`;
      ip(this.host, `link set ${nic} address ${formatMac(smac)} arp on`);
      ip(this.host, `route replace ${formatIpv4(daddr)}/32 dev ${nic}`);
      ip(this.host, `neigh replace ${formatIpv4(daddr)} lladdr ${formatMac(dmac)} dev ${nic} nud permanent`);
    }
    return this.rows;
  }

  /** Sends one frame to a hook and waits until the hook has counted it; gives what came out, where. */
  pass(hook: HookName, frame: Uint8Array, header: VnetHeader = {}): Outcome {
    const before = this.counts();
    (hook === "ingress" ? this.wire : this.nic).send(frame, header);
    const end = Date.now() + DEADLINE_MS;
    let reasons: ReasonName[] = [];
    do {
      const after = this.counts();
      reasons = REASON_NAMES.flatMap((name, i) => Array<ReasonName>(after[i] - before[i]).fill(name));
    } while (!this.complete(reasons) && Date.now() < end);
    const out: Outcome["out"] = [];
    const dropped = reasons.length > 0 && reasons.every((name) => REASONS[name].outcome === "drop");
    for (const place of Object.keys(this.places) as Place[]) {
      // A frame that is dropped comes nowhere, so it is not waited for; if it did come, the next one would show it.
      const expected = !dropped && place === this.placeOf(hook, reasons);
      const got = this.places[place].receive(expected ? DEADLINE_MS : 0);
      if (got) out.push({ place, ...got });
    }
    return { reasons, out };
  }

  /** Sends a frame out of the NIC and takes it from the wire, uncounted. */
  sendOut(frame: Uint8Array): void {
    this.nic.send(frame);
    this.wire.receive();
  }

  private complete(reasons: ReasonName[]): boolean {
    return reasons.includes("REDIRECT_FRAG_NEEDED") ? reasons.length > 1 : reasons.length > 0;
  }

  private placeOf(hook: HookName, reasons: ReasonName[]): Place {
    if (reasons.includes("REDIRECT_FRAG_NEEDED")) return "stack";
    if (reasons.some((name) => REASONS[name].outcome === "redirect")) return "other";
    return hook === "ingress" ? "stack" : "wire";
  }

  /** Counters of the reasons, notes left out. */
  private counts(): number[] {
    const { key: keys, value: values } = TABLES.REASON;
    const out = REASON_NAMES.map(() => 0);
    for (const [key, value] of this.tables.REASON.entries()) {
      const slot = keys.decode(key).value;
      const name = REASON_NAMES[slot];
      if (name !== undefined && REASONS[name].outcome !== "note") out[slot] = values.decode(value).value;
    }
    return out;
  }
}
