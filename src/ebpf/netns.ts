/**
 * A network namespace of this process's own thread, for test runs: bpf_fib_lookup asks the real routes and neighbours of the
 * namespace, so a vector's `fib` becomes routes. The namespace has no name and goes with the process, however it ends.
 *
 * Interfaces are bridges without ports: they exist on every kernel, take any index and address, and send nothing anywhere.
 */
import { closeSync, openSync, writeFileSync } from "node:fs";
import {
  BPF_FIB_LKUP_RET_BLACKHOLE,
  BPF_FIB_LKUP_RET_FRAG_NEEDED,
  BPF_FIB_LKUP_RET_FWD_DISABLED,
  BPF_FIB_LKUP_RET_NO_NEIGH,
  BPF_FIB_LKUP_RET_PROHIBIT,
  BPF_FIB_LKUP_RET_SUCCESS,
  BPF_FIB_LKUP_RET_UNREACHABLE,
  BPF_FIB_LKUP_RET_UNSUPP_LWT,
} from "../dataplane/datapath.ts";
import type { FibRow } from "../dataplane/vector.ts";
import { LabError } from "../errors.ts";
import { formatMac, type Mac } from "../wire/ethernet.ts";
import { formatIpv4 } from "../wire/ipv4.ts";
import { errnoName } from "./bpf.ts";
import { run, tryRun } from "./exec.ts";
import { CLONE_NEWNET, libc } from "./libc.ts";

/** Larger than any packet of a test run, so that is_skb_forwardable() never says otherwise. */
const BIG_MTU = 65_535;
/** The smallest that IPv4 runs on: every encapsulated packet is longer. */
export const SMALL_MTU = 68;
/** Indices of the interfaces that guelab needs for itself, and the addresses on the small one. */
export const SMALL_IFINDEX = 0x7ffffff0;
export const SMALL_MAC: Mac = 0x020000000068;
export const SMALL_NEIGHBOUR: Mac = 0x020000000001;
const PLAIN_IFINDEX = 0x7ffffff1;
const LOOPBACK = 1;

export class TestNamespace {
  private readonly home: number;
  /** Index -> address that it was given last; -1 = the kernel's choice. */
  private readonly devices = new Map<number, Mac>();
  private rows = new Map<number, FibRow>();
  /** What takes the present routes away again. */
  private undo: string[] = [];
  private forwarding = true;
  private onDemand = false;

  /** Moves the calling thread into a new namespace. Throws LabError ERR_NO_NETNS. */
  constructor() {
    this.home = openSync("/proc/thread-self/ns/net", "r");
    if (libc().unshare(CLONE_NEWNET) !== 0) {
      const errno = libc().errno();
      closeSync(this.home);
      throw new LabError("ERR_NO_NETNS", `cannot make a network namespace: ${errnoName(errno)}`, {
        hint: "It needs root, or CAP_SYS_ADMIN.",
      });
    }
    sysctl("all", "forwarding", 1);
    sysctl("default", "forwarding", 1);
  }

  /** Moves the thread back home; the namespace is gone. */
  close(): void {
    libc().setns(this.home, CLONE_NEWNET);
    closeSync(this.home);
  }

  /** Makes sure that there is an interface of this index. */
  ensureDevice(ifindex: number): void {
    ip(this.make(ifindex, BIG_MTU));
  }

  /** Turns forwarding on one interface on or off; until `setFib` says otherwise of all. */
  setForwarding(ifindex: number, on: boolean): void {
    sysctl(deviceName(ifindex), "forwarding", on ? 1 : 0);
  }

  /**
   * True when the rows cannot all hold at once: two source addresses for one interface, FWD_DISABLED beside other answers, or an
   * answer that no kernel gives. Before each packet, `prepare` must then be told whom the program will ask for.
   */
  get needsPrepare(): boolean {
    return this.onDemand;
  }

  /** Gives every destination its answer, as far as all of them can hold at once. Throws LabError ERR_FIB_TEST. */
  setFib(rows: readonly FibRow[]): void {
    if (this.undo.length > 0) tryRun("ip", ["-force", "-batch", "-"], `${this.undo.join("\n")}\n`);
    this.undo = [];
    this.rows = new Map(rows.map((row) => [row.daddr, row]));
    const lines: string[] = [];
    for (const row of rows) if (impossible(row) === undefined) lines.push(...this.route(row));
    ip(lines);
    this.onDemand = conflicting(rows);
    if (this.onDemand) return;
    for (const row of rows) this.hold(row);
    if (rows.length === 0) this.forwardAll(true);
  }

  /** Makes the answer for one destination hold. Throws LabError ERR_FIB_TEST for what the kernel cannot be made to answer. */
  prepare(daddr: number): void {
    const row = this.rows.get(daddr);
    const why = row && impossible(row);
    if (why !== undefined) unsupported(why);
    if (row) this.hold(row);
    else this.forwardAll(true);
  }

  /** Sets what a route alone does not say: the interface's address, and whether the host forwards. */
  private hold(row: FibRow): void {
    this.forwardAll(row.rc !== BPF_FIB_LKUP_RET_FWD_DISABLED);
    if (row.rc !== BPF_FIB_LKUP_RET_SUCCESS || this.devices.get(row.ifindex) === row.smac) return;
    // A new address makes the kernel forget the interface's neighbours.
    const dev = deviceName(row.ifindex);
    const neighbours = [...this.rows.values()]
      .filter((r) => r.rc === BPF_FIB_LKUP_RET_SUCCESS && r.ifindex === row.ifindex)
      .map((r) => neighbour(r.daddr, r.dmac, dev));
    ip([`link set ${dev} address ${formatMac(row.smac)}`, ...neighbours]);
    this.devices.set(row.ifindex, row.smac);
  }

  private route(row: FibRow): string[] {
    const dst = formatIpv4(row.daddr);
    const via = (ifindex: number, mtu: number, lladdr?: Mac): string[] => {
      const dev = deviceName(ifindex);
      const lines = [...this.make(ifindex, mtu), `route replace ${dst}/32 dev ${dev}`];
      this.undo.push(`route del ${dst}/32`);
      if (lladdr !== undefined) {
        lines.push(neighbour(row.daddr, lladdr, dev));
        this.undo.push(`neigh del ${dst} dev ${dev}`);
      }
      return lines;
    };
    const special = (kind: string): string[] => {
      this.undo.push(`route del ${kind} ${dst}/32`);
      return [`route replace ${kind} ${dst}/32`];
    };
    switch (row.rc) {
      case BPF_FIB_LKUP_RET_SUCCESS:
        return via(row.ifindex, BIG_MTU, row.dmac);
      case BPF_FIB_LKUP_RET_BLACKHOLE:
        return special("blackhole");
      case BPF_FIB_LKUP_RET_UNREACHABLE:
        return special("unreachable");
      case BPF_FIB_LKUP_RET_PROHIBIT:
        return special("prohibit");
      case BPF_FIB_LKUP_RET_UNSUPP_LWT: {
        const encap = `encap seg6 mode encap segs fc00::1 dev ${deviceName(PLAIN_IFINDEX)}`;
        this.undo.push(`route del ${dst}/32`);
        return [...this.make(PLAIN_IFINDEX, BIG_MTU), `route replace ${dst}/32 ${encap}`];
      }
      case BPF_FIB_LKUP_RET_NO_NEIGH:
        return via(PLAIN_IFINDEX, BIG_MTU);
      case BPF_FIB_LKUP_RET_FRAG_NEEDED: {
        const made = this.make(SMALL_IFINDEX, SMALL_MTU);
        if (made.length > 0) made.push(`link set ${deviceName(SMALL_IFINDEX)} address ${formatMac(SMALL_MAC)}`);
        return [...made, ...via(SMALL_IFINDEX, SMALL_MTU, SMALL_NEIGHBOUR)];
      }
      default:
        return [];
    }
  }

  private make(ifindex: number, mtu: number): string[] {
    if (ifindex === LOOPBACK || this.devices.has(ifindex)) return [];
    this.devices.set(ifindex, -1);
    return [`link add name ${deviceName(ifindex)} index ${ifindex} mtu ${mtu} up type bridge`];
  }

  private forwardAll(on: boolean): void {
    if (on === this.forwarding) return;
    this.forwarding = on;
    // "all" sets every interface's own value, "default" that of interfaces to come.
    sysctl("all", "forwarding", on ? 1 : 0);
    sysctl("default", "forwarding", on ? 1 : 0);
  }
}

/** Why no kernel gives this answer, or undefined. */
function impossible(row: FibRow): string | undefined {
  if (row.rc < 0 || row.rc > BPF_FIB_LKUP_RET_FRAG_NEEDED)
    return `bpf_fib_lookup never answers ${row.rc} to what the programs ask`;
  if (row.rc !== BPF_FIB_LKUP_RET_SUCCESS) return undefined;
  if (row.ifindex === LOOPBACK) return "nothing is forwarded to the loopback interface, number 1";
  if (row.ifindex === 0 || row.ifindex >= SMALL_IFINDEX) return `there can be no interface ${row.ifindex}`;
  if (row.smac === 0 || Math.floor(row.smac / 2 ** 40) % 2 === 1)
    return `no interface has the address ${formatMac(row.smac)}`;
  return undefined;
}

function conflicting(rows: readonly FibRow[]): boolean {
  const macs = new Map<number, Mac>();
  const disabled = rows.filter((row) => row.rc === BPF_FIB_LKUP_RET_FWD_DISABLED).length;
  return (
    (disabled > 0 && disabled < rows.length) ||
    rows.some((row) => {
      if (impossible(row) !== undefined) return true;
      if (row.rc !== BPF_FIB_LKUP_RET_SUCCESS) return false;
      const mac = macs.get(row.ifindex) ?? row.smac;
      macs.set(row.ifindex, mac);
      return mac !== row.smac;
    })
  );
}

const deviceName = (ifindex: number): string => `gl${ifindex}`;

const neighbour = (ip: number, mac: Mac, dev: string): string =>
  `neigh replace ${formatIpv4(ip)} lladdr ${formatMac(mac)} dev ${dev} nud permanent`;

function sysctl(device: string, name: string, value: number): void {
  writeFileSync(`/proc/sys/net/ipv4/conf/${device}/${name}`, String(value));
}

function ip(lines: readonly string[]): void {
  if (lines.length > 0) run("ERR_FIB_TEST", "ip", ["-batch", "-"], `${lines.join("\n")}\n`);
}

function unsupported(why: string): never {
  throw new LabError("ERR_FIB_TEST", `this FIB cannot be built in a kernel: ${why}`, {
    hint: "Run the vector on the reference data path: --datapath reference.",
  });
}
