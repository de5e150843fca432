/** What bpf/record.bpf.c writes to its ring: two records for every run of a hook, of what went in and of what came out. */
import { struct, u32, u64 } from "../tables/layout.ts";

export const RECORDS_NAME = "RECORDS";
export const RECORDS_LOST_NAME = "RECORDS_LOST";
/** Bytes of the ring: a power of two. It is emptied several times in 100 ms. */
export const RECORDS_SIZE = 1 << 25;
export const RECORD_BEFORE = 0;
export const RECORD_AFTER = 1;
/** In `vlan`, beside the TCI: there is a tag. */
export const RECORD_VLAN = 0x10000;

/**
 * The frame stands behind it. `time` is CLOCK_MONOTONIC in ns, which `process.hrtime` shows as well; `verdict` two's complement;
 * `len` counts the MAC header, `caplen` the bytes that follow; `cb*` are those of bpf/include/verdict.h.
 */
export const hookRecord = struct("hook_record", {
  time: u64,
  hook: u32,
  side: u32,
  cpu: u32,
  verdict: u32,
  ifindex: u32,
  len: u32,
  caplen: u32,
  mark: u32,
  gso_size: u32,
  vlan: u32,
  cb0: u32,
  cb1: u32,
  cb2: u32,
  cb3: u32,
  cb4: u32,
  pad: u32,
});
