/**
 * What the `dump` flag writes to the ring buffer EVENTS: one record per packet, in the layout of the C programs.
 *
 * The bytes are those a capture shows: of the packet before the hook on ingress, after it on egress.
 */
import { bytes, struct, u32, u64 } from "../tables/layout.ts";
import { serviceId } from "../tables/schema.ts";

/** Bytes of the packet that a record holds at most. */
export const EVENT_DATA_LEN = 128;
/** Size of the ring in bytes: a power of two and a multiple of the page size. */
export const EVENTS_SIZE = 1 << 20;
export const EVENTS_NAME = "EVENTS";

export const HOOK_INGRESS = 0;
export const HOOK_EGRESS = 1;

/** Flags of an event: tunnel and id are those of the entry that decided; the interface is a proxy's. */
export const EVENT_HAS_ENTRY = 1;
export const EVENT_PROXY = 2;

/** `time` is ns since boot; `verdict` the hook's return value as two's complement; lengths count the MAC header. */
export const event = struct("event", {
  time: u64,
  ifindex: u32,
  hook: u32,
  reason: u32,
  verdict: u32,
  flags: u32,
  tunnel: u32,
  id: serviceId,
  len_in: u32,
  len_out: u32,
  caplen: u32,
  data: bytes(EVENT_DATA_LEN),
});
