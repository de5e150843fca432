/** What sits at the NICs of one real host, as the lab sees it: the eBPF programs, or the reference on TAP interfaces. */
import type { TableStores } from "../../tables/tables.ts";
import type { HookSink } from "./hook-record.ts";

export const DATA_PATH_KINDS = ["reference", "ebpf"] as const;
export type DataPathKind = (typeof DATA_PATH_KINDS)[number];

export interface HostDataPath {
  /** The host's tables; made when they are first needed. */
  readonly stores: TableStores;
  /** Were they ever needed? A host without True Ingress has none. */
  readonly loaded: boolean;
  /** Interfaces with the data path on both hooks. */
  readonly nics: string[];
  /** Puts the data path on both hooks of a NIC. CONFIG was written before: the flags are taken from there. */
  attach(nic: string): void;
  detach(nic: string): void;
  /** Name of an interface that ever had the data path on it, by its number. */
  nicOf(ifindex: number): string | undefined;
  /** Hands over the events (src/ebpf/event.ts) that came since the last call; the bytes are valid in `each` only. */
  readEvents(each: (record: Uint8Array) => void): void;
  /**
   * Records from now on what the hooks do; called before anything is attached. `source`: where the programs' sources are, if not
   * in this package. Throws LabError when the programs cannot be built.
   */
  record(sink: HookSink, source?: string): void;
  /** Hands the sink what was not handed over yet. Throws LabError ERR_HOOK_LOST when something is missing. */
  readHooks(): void;
  /** Removes programs and tables; their places at the NICs go with the host. */
  close(): void;
}
