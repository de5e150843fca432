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
  BPF_FIB_LKUP_RET_NOT_FWDED,
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
import { run } from "./exec.ts";
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

interface Device {
  mac: Mac;
}

export class TestNamespace {
  private readonly home: number;
  private readonly own: number;
  private readonly devices = new Map<number, Device>();
  private rows: readonly FibRow[] = [];
  private forwarding = true;

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
    this.own = openSync("/proc/thread-self/ns/net", "r");
    sysctl("all", "forwarding", 1);
    sysctl("default", "forwarding", 1);
  }

  /** Moves the thread back home; the namespace is gone. */
  close(): void {
    this.leave();
    closeSync(this.own);
    closeSync(this.home);
  }

  /** Into the namespace, and out of it; test runs and `setFib` must be made inside. */
  enter(): void {
    libc().setns(this.own, CLONE_NEWNET);
  }
  leave(): void {
    libc().setns(this.home, CLONE_NEWNET);
  }

  /** Makes sure that there is an interface of this index. */
  ensureDevice(ifindex: number): void {
    if (ifindex === LOOPBACK || this.devices.has(ifindex)) return;
    ip([this.newDevice(ifindex, BIG_MTU)]);
    if (!this.forwarding) sysctl(deviceName(ifindex), "forwarding", 0);
  }

  /**
   * Gives every destination its answer. Throws LabError ERR_FIB_TEST for what the kernel cannot be made to answer: errors
   * and NO_SRC_ADDR, two source addresses for one interface, FWD_DISABLED beside anything else.
   */
  setFib(rows: readonly FibRow[]): void {
    if (rows.length === 0 && this.rows.length === 0) return;
    const lines = this.rows.flatMap((row) => this.undo(row));
    this.rows = rows;
    const disabled = rows.some((row) => row.rc === BPF_FIB_LKUP_RET_FWD_DISABLED);
    if (disabled && rows.some((row) => row.rc !== BPF_FIB_LKUP_RET_FWD_DISABLED))
      unsupported("FWD_DISABLED is a property of the interface that asks, it cannot stand beside other results");
    for (const row of rows) lines.push(...this.route(row));
    ip(lines);
    this.forwardAll(!disabled);
  }

  /** Turns forwarding on one interface on or off; until `setFib` says otherwise of all. */
  setForwarding(ifindex: number, on: boolean): void {
    sysctl(deviceName(ifindex), "forwarding", on ? 1 : 0);
  }

  private route(row: FibRow): string[] {
    const dst = `${formatIpv4(row.daddr)}/32`;
    switch (row.rc) {
      case BPF_FIB_LKUP_RET_SUCCESS:
        return [
          ...this.device(row.ifindex, row.smac),
          `route replace ${dst} dev ${deviceName(row.ifindex)}`,
          `neigh replace ${formatIpv4(row.daddr)} lladdr ${formatMac(row.dmac)} dev ${deviceName(row.ifindex)} nud permanent`,
        ];
      case BPF_FIB_LKUP_RET_BLACKHOLE:
        return [`route replace blackhole ${dst}`];
      case BPF_FIB_LKUP_RET_UNREACHABLE:
        return [`route replace unreachable ${dst}`];
      case BPF_FIB_LKUP_RET_PROHIBIT:
        return [`route replace prohibit ${dst}`];
      case BPF_FIB_LKUP_RET_NOT_FWDED:
      case BPF_FIB_LKUP_RET_FWD_DISABLED:
        return [];
      case BPF_FIB_LKUP_RET_UNSUPP_LWT:
        return [
          ...this.make(PLAIN_IFINDEX, BIG_MTU),
          `route replace ${dst} encap seg6 mode encap segs fc00::1 dev ${deviceName(PLAIN_IFINDEX)}`,
        ];
      case BPF_FIB_LKUP_RET_NO_NEIGH:
        return [...this.make(PLAIN_IFINDEX, BIG_MTU), `route replace ${dst} dev ${deviceName(PLAIN_IFINDEX)}`];
      case BPF_FIB_LKUP_RET_FRAG_NEEDED:
        return [
          ...this.make(SMALL_IFINDEX, SMALL_MTU),
          `link set ${deviceName(SMALL_IFINDEX)} address ${formatMac(SMALL_MAC)}`,
          `route replace ${dst} dev ${deviceName(SMALL_IFINDEX)}`,
          `neigh replace ${formatIpv4(row.daddr)} lladdr ${formatMac(SMALL_NEIGHBOUR)} dev ${deviceName(SMALL_IFINDEX)} nud permanent`,
        ];
      default:
        return unsupported(`no route makes bpf_fib_lookup answer ${row.rc}`);
    }
  }

  private undo(row: FibRow): string[] {
    const dst = formatIpv4(row.daddr);
    if (row.rc === BPF_FIB_LKUP_RET_NOT_FWDED || row.rc === BPF_FIB_LKUP_RET_FWD_DISABLED) return [];
    const lines = [`route del ${dst}/32`];
    if (row.rc === BPF_FIB_LKUP_RET_SUCCESS) lines.push(`neigh del ${dst} dev ${deviceName(row.ifindex)}`);
    if (row.rc === BPF_FIB_LKUP_RET_FRAG_NEEDED) lines.push(`neigh del ${dst} dev ${deviceName(SMALL_IFINDEX)}`);
    return lines;
  }

  /** An interface with this address, made or changed. */
  private device(ifindex: number, mac: Mac): string[] {
    if (this.rows.some((r) => r.rc === BPF_FIB_LKUP_RET_SUCCESS && r.ifindex === ifindex && r.smac !== mac))
      unsupported(`interface ${ifindex} cannot have two source addresses`);
    if (ifindex === LOOPBACK) unsupported("interface 1 is the loopback interface, nothing is forwarded to it");
    const lines = this.make(ifindex, BIG_MTU);
    const device = this.devices.get(ifindex) as Device;
    if (device.mac !== mac) lines.push(`link set ${deviceName(ifindex)} address ${formatMac(mac)}`);
    device.mac = mac;
    return lines;
  }

  private make(ifindex: number, mtu: number): string[] {
    return this.devices.has(ifindex) ? [] : [this.newDevice(ifindex, mtu)];
  }

  private newDevice(ifindex: number, mtu: number): string {
    this.devices.set(ifindex, { mac: -1 });
    const name = deviceName(ifindex);
    return `link add name ${name} index ${ifindex} mtu ${mtu} up type bridge`;
  }

  private forwardAll(on: boolean): void {
    if (on === this.forwarding) return;
    this.forwarding = on;
    // Writing "all" sets every interface's own value.
    sysctl("all", "forwarding", on ? 1 : 0);
  }
}

const deviceName = (ifindex: number): string => `gl${ifindex}`;

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
