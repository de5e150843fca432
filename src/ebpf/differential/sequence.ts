/**
 * One sequence: a table state and the packets that share it, all from one number. The same number gives the same sequence,
 * so a difference is found again by its seed and index alone.
 */
import { Xoshiro128 } from "../../sim/rng.ts";
import type { Rng } from "../../sim/types.ts";
import { rdLe32 } from "../../tables/layout.ts";
import { sessionEntry, TABLES, type TableName, TX_PROXY } from "../../tables/schema.ts";
import { endpointWord } from "../../tables/tables.ts";
import { rd16, rd32, wr16 } from "../../wire/bytes.ts";
import { ETH_HLEN } from "../../wire/ethernet.ts";
import { GUE_OVERHEAD } from "../../wire/gue.ts";
import { FRAME_MAX, FrameMaker } from "./frames.ts";
import type { Difference, Machine } from "./machine.ts";
import { makeRunnable, mutate } from "./mutate.ts";
import { FILLED, type FilledTable, pick, TableState } from "./state.ts";

export interface CaseRow {
  table: TableName;
  key: Uint8Array;
  value: Uint8Array;
}

export interface CasePacket {
  ingress: boolean;
  ifindex: number;
  gsoSize: number;
  frame: Uint8Array;
}

/** A sequence written out: what can be shrunk and printed. */
export interface Case {
  rows: CaseRow[];
  packets: CasePacket[];
}

export interface SequenceOptions {
  seed: number;
  /** Only this hook; both when left out. */
  hook?: "ingress" | "egress";
  /** Frames of real captures, to be changed and sent as well. */
  corpus?: readonly Uint8Array[];
}

const MIN_PACKETS = 48;
const MORE_PACKETS = 160;
const PROXY = sessionEntry.offset("proxy");
const EPOCH_KEY = TABLES.EPOCH.key.encode({ value: 0 });

/** The generator of sequence `index` of a campaign. */
function rngOf(seed: number, index: number): Rng {
  const high = Math.imul(Math.floor(seed / 0x100000000) ^ 0x5bd1e995, 0x9e3779b1) ^ (seed % 0x100000000);
  return new Xoshiro128(index % 0x100000000, (high + Math.imul(Math.floor(index / 0x100000000), 0x85ebca6b)) >>> 0);
}

export class SequenceRunner {
  private readonly machine: Machine;
  private readonly options: SequenceOptions;
  private readonly state = new TableState();
  private readonly frames = new FrameMaker();

  constructor(machine: Machine, options: SequenceOptions) {
    this.machine = machine;
    this.options = options;
  }

  /** Runs sequence `index`; `count` grows by its packets. With `record`, the sequence is written out into it. */
  run(index: number, count: { packets: number }, record?: Case): Difference | undefined {
    const { machine, state, frames } = this;
    const rng = rngOf(this.options.seed, index);
    state.make(rng);
    for (const t of FILLED) machine.fill(state.rows[t]);
    const epoch = TABLES.EPOCH.value.encode({ value: state.epoch });
    machine.set("EPOCH", EPOCH_KEY, epoch);
    if (record) recordRows(record, state, epoch);

    let found: Difference | undefined;
    for (let n = MIN_PACKETS + rng.below(MORE_PACKETS), k = 0; k < n && !found; k++) {
      const ingress = this.options.hook === undefined ? rng.below(2) === 0 : this.options.hook === "ingress";
      this.packet(rng, ingress);
      const { ifindex, gsoSize, buf, len } = frames;
      if (record) record.packets.push({ ingress, ifindex, gsoSize, frame: buf.slice(0, len) });
      found = machine.send(ingress, ifindex, gsoSize, buf, len);
      count.packets++;
      if (found) found.packet = k;
    }
    const after = machine.settle();
    return found ?? after;
  }

  private packet(rng: Rng, ingress: boolean): void {
    const { frames, state } = this;
    const { corpus } = this.options;
    frames.make(rng, state, ingress);
    if (corpus && corpus.length > 0 && rng.below(4) === 0) {
      this.captured(rng, pick(rng, corpus));
    } else {
      const how = rng.below(20);
      if (how < 6) mutate(frames, rng);
      else if (how === 6) this.aimChecksum(ingress);
      else if (how === 7 && !ingress) this.aimFold(rng);
    }
    makeRunnable(frames);
  }

  /** A captured frame with a few bytes changed, often with an address and port that the tables know. */
  private captured(rng: Rng, frame: Uint8Array): void {
    const f = this.frames;
    const { ip, l4 } = f.at;
    const src = rd32(f.buf, ip + 12);
    const dst = rd32(f.buf, ip + 16);
    const ports = l4 === 0 ? 0 : rd32(f.buf, l4);
    f.len = Math.min(frame.length, FRAME_MAX);
    f.buf.set(frame.subarray(0, f.len));
    if (f.len < ETH_HLEN + 20 || (f.buf[ETH_HLEN] & 0xf0) !== 0x40) return;
    f.at.ip = ETH_HLEN;
    f.at.l4 = ETH_HLEN + (f.buf[ETH_HLEN] & 0xf) * 4;
    f.at.gue = f.at.inner = f.at.innerL4 = 0;
    if (rng.below(3) > 0 && f.len >= f.at.l4 + 8) {
      for (let i = 0; i < 4; i++) {
        f.buf[ETH_HLEN + 12 + i] = src >>> (24 - 8 * i);
        f.buf[ETH_HLEN + 16 + i] = dst >>> (24 - 8 * i);
        f.buf[f.at.l4 + i] = ports >>> (24 - 8 * i);
      }
    }
    if (rng.below(2) === 0) mutate(f, rng);
  }

  /** Where the packet will be translated: gives it the checksum that becomes 0. */
  private aimChecksum(ingress: boolean): void {
    const { frames: f, machine } = this;
    if (f.at.l4 === 0 || f.len < f.at.l4 + 20) return;
    const { DNAT, SNAT, SESSION, CONFIG } = machine.tables;
    const b = f.buf;
    const proto = b[f.at.ip + 9];
    const saddr = rd32(b, f.at.ip + 12);
    const daddr = rd32(b, f.at.ip + 16);
    const sport = endpointWord(rd16(b, f.at.l4), proto);
    const dport = endpointWord(rd16(b, f.at.l4 + 2), proto);
    let map = ingress ? DNAT : SNAT;
    let e = ingress ? DNAT.find2(daddr, dport) : SNAT.find2(saddr, sport);
    let off = 0;
    const c = CONFIG.find1(f.ifindex);
    if (!ingress && c >= 0 && (CONFIG.values[CONFIG.valueOffset(c) + 4] & TX_PROXY) === 0) {
      map = SESSION;
      e = SESSION.find4(daddr, dport, saddr, sport);
      off = PROXY;
    }
    if (e < 0) return;
    const v = map.values;
    off += map.valueOffset(e);
    f.aimAtZero(f.endpointSum(ingress), rd16(v, off) + rd16(v, off + 2) + rd16(v, off + 4));
  }

  /** Where the packet will be encapsulated: gives it the ID with which the outer header's sum must be folded twice. */
  private aimFold(rng: Rng): void {
    const { frames: f, machine } = this;
    if (f.at.l4 === 0) return;
    const { ENCAP, SESSION, TUNNEL } = machine.tables;
    const b = f.buf;
    const ip = f.at.ip;
    const proto = b[ip + 9];
    const saddr = rd32(b, ip + 12);
    const daddr = rd32(b, ip + 16);
    const sport = endpointWord(rd16(b, f.at.l4), proto);
    const dport = endpointWord(rd16(b, f.at.l4 + 2), proto);
    let map = ENCAP;
    let e = ENCAP.find2(daddr, dport);
    if (e < 0) {
      map = SESSION;
      e = SESSION.find4(daddr, dport, saddr, sport);
    }
    if (e < 0) return;
    const entry = map.valueOffset(e);
    const t = TUNNEL.find1(rdLe32(map.values, entry));
    if (t < 0) return;
    const v = TUNNEL.values;
    const local = TUNNEL.valueOffset(t);
    const words = [0x4500, 0x4011, rd16(b, ip + 2) + GUE_OVERHEAD, rd16(b, ip + 6)];
    for (const off of [0, 2, 8, 10]) words.push(rd16(v, local + off));
    // Words may be summed in either byte order; which carries there are depends on it.
    const order = rng.below(2) === 0 ? swap16 : same16;
    const sum = words.reduce((total, word) => total + order(word), 0);
    const id = 0xffff - (sum & 0xffff) - rng.below((sum >>> 16) + 1);
    wr16(b, ip + 4, order(id));
  }
}

const swap16 = (v: number): number => ((v & 0xff) << 8) | ((v >>> 8) & 0xff);
const same16 = (v: number): number => v & 0xffff;

function recordRows(into: Case, state: TableState, epoch: Uint8Array): void {
  for (const t of FILLED as readonly FilledTable[]) {
    const r = state.rows[t];
    for (let i = 0; i < r.count; i++)
      into.rows.push({
        table: t,
        key: r.keys.bytes.slice(i * r.keySize, (i + 1) * r.keySize),
        value: r.values.bytes.slice(i * r.valueSize, (i + 1) * r.valueSize),
      });
  }
  into.rows.push({ table: "EPOCH", key: EPOCH_KEY, value: epoch });
}

/** Runs a written-out case from empty tables; the first difference, or undefined. */
export function runCase(machine: Machine, c: Case): Difference | undefined {
  for (const row of c.rows) machine.set(row.table, row.key, row.value);
  let found: Difference | undefined;
  for (const [k, p] of c.packets.entries()) {
    found = machine.send(p.ingress, p.ifindex, p.gsoSize, p.frame, p.frame.length);
    if (found) {
      found.packet = k;
      break;
    }
  }
  const after = machine.settle();
  return found ?? after;
}
