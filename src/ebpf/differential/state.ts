/**
 * Table states, made from a random number generator: few endpoints in every role, so that rows refer to each other as a
 * control plane's would, and now and then do not.
 */
import type { Rng } from "../../sim/types.ts";
import { wrLe32 } from "../../tables/layout.ts";
import {
  config,
  encapEntry,
  sessionEntry,
  TABLES,
  type TableName,
  TX_PROXY,
  tunnel,
  verifyEntry,
} from "../../tables/schema.ts";
import { wr16, wr32 } from "../../wire/bytes.ts";
import { IPPROTO_TCP, IPPROTO_UDP } from "../../wire/ipv4.ts";
import { type Memory, memory } from "../libc.ts";
import { ADDRESSES, IF_A, IF_B, IF_NOFWD, PORTS } from "./universe.ts";

export interface Endpoint {
  ip: number;
  port: number;
}

/** Rows of one table as the kernel takes them: keys and values one behind the other. */
export class Rows {
  readonly table: TableName;
  readonly keys: Memory;
  readonly values: Memory;
  readonly keySize: number;
  readonly valueSize: number;
  count = 0;

  constructor(table: TableName) {
    const def = TABLES[table];
    this.table = table;
    this.keySize = def.key.size;
    this.valueSize = def.value.size;
    this.keys = memory(MAX_ROWS * this.keySize);
    this.values = memory(MAX_ROWS * this.valueSize);
  }

  /** Offset of the next row's key; its value is zeroed. */
  next(): number {
    const i = this.count++;
    this.keys.bytes.fill(0, i * this.keySize, (i + 1) * this.keySize);
    this.values.bytes.fill(0, i * this.valueSize, (i + 1) * this.valueSize);
    return i;
  }
}

/** Rows per table and sequence at most; the maps are made for more. */
const MAX_ROWS = 32;
export const FILLED = ["CONFIG", "TUNNEL", "DECAP", "ENCAP", "SESSION", "VERIFY", "DNAT", "SNAT"] as const;
export type FilledTable = (typeof FILLED)[number];

export interface Service {
  group: number;
  service: number;
  tunnel: number;
  key: Uint8Array;
}

const MTUS = [
  0, 0, 1500, 1500, 1400, 576, 300, 160, 130, 120, 110, 93, 92, 91, 60, 53, 52, 51, 1, 65535, 65536, 0xffffffff,
];
const FLAG_SETS = [1, 2, 3, 5, 7, 3, 7, 33, 35, 37, 39, 32, 34, 36, 0, 2, 4, 6];

/** One state; `make` draws the next. */
export class TableState {
  readonly rows = Object.fromEntries(FILLED.map((t) => [t, new Rows(t)])) as Record<FilledTable, Rows>;
  epoch = 0;
  clients: Endpoint[] = [];
  proxies: Endpoint[] = [];
  backends: Endpoint[] = [];
  locals: Endpoint[] = [];
  remotes: Endpoint[] = [];
  services: Service[] = [];
  /** Interfaces of the packets: those of one host that forwards, or the one that does not. */
  ifindexes: number[] = [];
  mtus: number[] = [];

  make(rng: Rng): void {
    for (const t of FILLED) this.rows[t].count = 0;
    this.clients = endpoints(rng, 3);
    this.proxies = endpoints(rng, 3);
    this.backends = endpoints(rng, 3);
    this.locals = endpoints(rng, 2);
    this.remotes = endpoints(rng, 3);
    this.epoch = rng.below(4) === 0 ? rng.u32() : rng.below(20);
    this.ifindexes = rng.below(8) === 0 ? [IF_NOFWD] : [IF_A, IF_B];
    this.mtus = [];
    this.configs(rng);
    this.makeServices(rng);
    this.tunnels(rng);
    this.decaps(rng);
    this.encaps(rng);
    this.sessions(rng);
    this.translations(rng);
  }

  private configs(rng: Rng): void {
    const r = this.rows.CONFIG;
    for (const ifindex of this.ifindexes) {
      const i = r.next();
      wrLe32(r.keys.bytes, i * r.keySize, ifindex);
      const at = i * r.valueSize;
      const rx = rng.below(6) === 0 ? rng.u32() : FLAG_SETS[rng.below(FLAG_SETS.length)];
      let tx = rng.below(6) === 0 ? rng.u32() : FLAG_SETS[rng.below(FLAG_SETS.length)];
      if (rng.below(2) === 0) tx &= ~TX_PROXY;
      const mtu = rng.below(8) === 0 ? rng.below(400) : MTUS[rng.below(MTUS.length)];
      const dump = rng.below(16) === 0 ? DUMP : 0;
      wrLe32(r.values.bytes, at + config.offset("rx"), (rx & ~DUMP) | dump);
      wrLe32(r.values.bytes, at + config.offset("tx"), (tx & ~DUMP) | dump);
      wrLe32(r.values.bytes, at + config.offset("mtu"), mtu);
      this.mtus.push(mtu);
    }
  }

  private makeServices(rng: Rng): void {
    this.services = [];
    for (let n = 1 + rng.below(3); n > 0; n--) {
      const group = [0, 1, 2, 0xffff][rng.below(4)];
      const service = [100, 200, 201, 0, 0xffff][rng.below(5)];
      const key = new Uint8Array(16);
      for (let i = 0; i < 16; i++) key[i] = rng.below(4) === 0 ? 0 : rng.u32();
      const own = ((group << 16) | service) >>> 0;
      this.services.push({ group, service, tunnel: rng.below(4) === 0 ? 1 + rng.below(3) : own, key });
    }
    const r = this.rows.VERIFY;
    for (const s of this.services) {
      if (rng.below(8) === 0) continue;
      const i = r.next();
      wr16(r.keys.bytes, i * r.keySize, s.group);
      wr16(r.keys.bytes, i * r.keySize + 2, s.service);
      const v = r.values.bytes;
      const at = i * r.valueSize;
      v.set(s.key, at + verifyEntry.offset("key"));
      wrLe32(v, at + verifyEntry.offset("tunnel"), s.tunnel);
      putEndpoint(v, at + verifyEntry.offset("proxy"), translation(rng, this.proxies), proto(rng));
      putEndpoint(v, at + verifyEntry.offset("backend"), pick(rng, this.backends), proto(rng));
    }
  }

  private tunnels(rng: Rng): void {
    const r = this.rows.TUNNEL;
    const ids = [...this.services.map((s) => s.tunnel), rng.below(4)];
    for (const id of ids) {
      if (rng.below(10) === 0) continue;
      const i = r.next();
      wrLe32(r.keys.bytes, i * r.keySize, id);
      const at = i * r.valueSize;
      putEndpoint(r.values.bytes, at + tunnel.offset("local"), pick(rng, this.locals), IPPROTO_UDP);
      const remote = rng.below(8) === 0 ? { ip: 0, port: PORTS[rng.below(PORTS.length)] } : pick(rng, this.remotes);
      putEndpoint(r.values.bytes, at + tunnel.offset("remote"), remote, IPPROTO_UDP);
    }
  }

  private decaps(rng: Rng): void {
    const r = this.rows.DECAP;
    for (const e of this.locals) {
      if (rng.below(10) === 0) continue;
      const i = r.next();
      putEndpoint(r.keys.bytes, i * r.keySize, e, rng.below(10) === 0 ? IPPROTO_TCP : IPPROTO_UDP);
      wrLe32(r.values.bytes, i * r.valueSize, rng.below(4));
    }
  }

  private encaps(rng: Rng): void {
    const r = this.rows.ENCAP;
    for (const e of this.backends)
      for (const p of [IPPROTO_TCP, IPPROTO_UDP]) {
        if (rng.below(4) === 0) continue;
        const i = r.next();
        putEndpoint(r.keys.bytes, i * r.keySize, e, p);
        this.putService(rng, r.values.bytes, i * r.valueSize);
      }
  }

  private sessions(rng: Rng): void {
    const r = this.rows.SESSION;
    for (let n = rng.below(8); n > 0; n--) {
      const p = rng.below(2) === 0 ? IPPROTO_TCP : IPPROTO_UDP;
      const i = r.next();
      putEndpoint(r.keys.bytes, i * r.keySize, pick(rng, this.clients), p);
      putEndpoint(r.keys.bytes, i * r.keySize + 8, pick(rng, this.backends), p);
      const at = i * r.valueSize;
      this.putService(rng, r.values.bytes, at);
      putEndpoint(r.values.bytes, at + sessionEntry.offset("proxy"), translation(rng, this.proxies), proto(rng));
      wrLe32(r.values.bytes, at + sessionEntry.offset("epoch"), rng.below(2) === 0 ? this.epoch : rng.u32());
    }
  }

  private translations(rng: Rng): void {
    for (const [rows, from, to] of [
      [this.rows.DNAT, this.proxies, this.backends],
      [this.rows.SNAT, this.backends, this.proxies],
    ] as const)
      for (const e of from)
        for (const p of [IPPROTO_TCP, IPPROTO_UDP]) {
          if (rng.below(4) === 0) continue;
          const i = rows.next();
          putEndpoint(rows.keys.bytes, i * rows.keySize, e, p);
          putEndpoint(rows.values.bytes, i * rows.valueSize, translation(rng, to), proto(rng));
        }
  }

  /** ENCAP and SESSION values start alike: tunnel, id, key. */
  private putService(rng: Rng, v: Uint8Array, at: number): void {
    const s = pick(rng, this.services);
    wrLe32(v, at + encapEntry.offset("tunnel"), rng.below(8) === 0 ? rng.below(4) : s.tunnel);
    wr16(v, at + encapEntry.offset("id"), s.group);
    wr16(v, at + encapEntry.offset("id") + 2, s.service);
    v.set(s.key, at + encapEntry.offset("key"));
  }
}

const DUMP = 8;

export function pick<T>(rng: Rng, from: readonly T[]): T {
  return from[rng.below(from.length)];
}

function endpoints(rng: Rng, n: number): Endpoint[] {
  const out: Endpoint[] = [];
  for (let i = 0; i < n; i++) out.push({ ip: pick(rng, ADDRESSES), port: pick(rng, PORTS) });
  return out;
}

/** Where to: sometimes 0.0.0.0:0, none, or half of it. */
function translation(rng: Rng, from: readonly Endpoint[]): Endpoint {
  const e = pick(rng, from);
  const odd = rng.below(12);
  return odd === 0 ? { ip: 0, port: 0 } : odd === 1 ? { ip: 0, port: e.port } : odd === 2 ? { ip: e.ip, port: 0 } : e;
}

/** The protocol of a value: without effect. */
const proto = (rng: Rng): number => pick(rng, [0, IPPROTO_TCP, IPPROTO_UDP, 255]);

function putEndpoint(b: Uint8Array, at: number, e: Endpoint, proto: number): void {
  wr32(b, at, e.ip);
  wr16(b, at + 4, e.port);
  b[at + 6] = proto;
  b[at + 7] = 0;
}
