/**
 * The tables of the data path: names, layouts, kinds and sizes, declared once.
 *
 * The TypeScript maps, the C header bpf/gen/tables.h and the map I/O all come from here. Keys have no implicit padding;
 * a `pad` member is part of the key and always zero. `__be*` members are network order in memory.
 */
import { be16, be32, bytes, type Struct, struct, u8, u32, u64 } from "./layout.ts";

/** An IPv4 transport endpoint. As a tunnel end, `proto` is 17. */
export const endpoint = struct("endpoint", { ip: be32, port: be16, proto: u8, pad: u8 });
/** Flags of the ingress and egress hook, and the NIC's MTU in bytes (0 = unchecked). */
export const config = struct("config", { rx: u32, tx: u32, mtu: u32 });
/** A GUE tunnel as this host sees it; remote 0.0.0.0:0 = not yet resolved. */
export const tunnel = struct("tunnel", { local: endpoint, remote: endpoint });
/** What stands in the GUE group identifier field. */
export const serviceId = struct("service_id", { group: be16, service: be16 });
/** Where a packet to a backend goes, and what its GUE header says. */
export const encapEntry = struct("encap_entry", { tunnel: u32, id: serviceId, key: bytes(16) });
/** A client's conversation with a backend, as the node learns it from the tunnel. */
export const sessionKey = struct("session_key", { client: endpoint, backend: endpoint });
export const sessionEntry = struct("session_entry", {
  tunnel: u32,
  id: serviceId,
  key: bytes(16),
  proxy: endpoint,
  epoch: u32,
});
/** What a GUE header of this service must carry, and what the service translates. */
export const verifyEntry = struct("verify_entry", { key: bytes(16), tunnel: u32, proxy: endpoint, backend: endpoint });
/** Packets and bytes (skb length at entry, MAC header included) of one interface since its CONFIG was set. */
export const ifStats = struct("if_stats", { rx_packets: u64, rx_bytes: u64, tx_packets: u64, tx_bytes: u64 });

const one = struct("u32_value", { value: u32 });
const counter = struct("u64_value", { value: u64 });

export type MapKind = "hash" | "lru_hash" | "array";

/** One table. `maxEntries` is the default; hosts may choose others when the tables are made. */
// biome-ignore lint/suspicious/noExplicitAny: a definition of any key and value
export interface TableDef<K = any, V = any> {
  readonly name: string;
  readonly kind: MapKind;
  readonly key: Struct<K>;
  readonly value: Struct<V>;
  readonly maxEntries: number;
  /** Kept per CPU in the kernel and summed on reading. */
  readonly perCpu?: boolean;
  /** One sentence for people. */
  readonly doc: string;
}

const def = <K, V>(
  name: string,
  kind: MapKind,
  key: Struct<K>,
  value: Struct<V>,
  maxEntries: number,
  doc: string,
  perCpu = false,
): TableDef<K, V> => ({ name, kind, key, value, maxEntries, doc, perCpu });

const DEFAULT_ENTRIES = 65_536;
/** Slots of the REASON array: room for reasons to come, so that the layout stays. */
export const REASON_SLOTS = 96;

export const TABLES = {
  CONFIG: def("CONFIG", "hash", one, config, 256, "interface -> flags of its two hooks and its MTU"),
  TUNNEL: def("TUNNEL", "hash", one, tunnel, DEFAULT_ENTRIES, "tunnel id -> its two UDP endpoints"),
  DECAP: def("DECAP", "hash", endpoint, one, DEFAULT_ENTRIES, "local tunnel endpoint -> tunnel id"),
  ENCAP: def("ENCAP", "hash", endpoint, encapEntry, DEFAULT_ENTRIES, "backend endpoint -> tunnel, service and key"),
  SESSION: def("SESSION", "lru_hash", sessionKey, sessionEntry, DEFAULT_ENTRIES, "client and backend -> the way back"),
  VERIFY: def("VERIFY", "hash", serviceId, verifyEntry, DEFAULT_ENTRIES, "group and service -> key, tunnel, endpoints"),
  DNAT: def("DNAT", "hash", endpoint, endpoint, DEFAULT_ENTRIES, "proxy endpoint -> backend endpoint"),
  SNAT: def("SNAT", "hash", endpoint, endpoint, DEFAULT_ENTRIES, "backend endpoint -> proxy endpoint"),
  EPOCH: def("EPOCH", "array", one, one, 1, "the sweep's clock: counts sweeps"),
  STATS: def("STATS", "hash", one, ifStats, 256, "interface -> packets and bytes", true),
  REASON: def("REASON", "array", one, counter, REASON_SLOTS, "packets by pass, drop and redirect reason", true),
} as const;

export type TableName = keyof typeof TABLES;
export const TABLE_NAMES = Object.keys(TABLES) as TableName[];

/** Ingress flags (CONFIG.rx). */
export const RX_GUE = 1;
export const RX_DNAT = 2;
export const RX_FWD = 4;
export const RX_DUMP = 8;
/** Egress flags (CONFIG.tx). */
export const TX_PROXY = 1;
export const TX_SNAT = 2;
export const TX_FWD = 4;
export const TX_DUMP = 8;
/** Accepted without effect: MAC addresses are always set. */
export const TX_FIB = 16;
export const TX_MSS = 32;

/** Names of the flag bits, as accepted beside numbers: `gue+dump`. */
export const RX_FLAGS = { gue: RX_GUE, dnat: RX_DNAT, fwd: RX_FWD, dump: RX_DUMP } as const;
export const TX_FLAGS = {
  proxy: TX_PROXY,
  snat: TX_SNAT,
  fwd: TX_FWD,
  dump: TX_DUMP,
  fib: TX_FIB,
  mss: TX_MSS,
} as const;
