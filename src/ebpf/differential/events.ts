/** The events of the dump flag, as the programs should have written them: noted packet by packet, compared at the end. */
import { rdLe32 } from "../../tables/layout.ts";
import { EVENT_DATA_LEN, event, HOOK_EGRESS, HOOK_INGRESS } from "../event.ts";
import type { RingReader } from "../ringbuf.ts";

/** More than a sequence has packets. */
const MAX_EVENTS = 512;
const FIELDS = ["ifindex", "hook", "reason", "verdict", "len_in", "len_out", "caplen"] as const;
const DATA = event.offset("data");

export class ExpectedEvents {
  private readonly fields = new Uint32Array(MAX_EVENTS * FIELDS.length);
  private readonly data = new Uint8Array(MAX_EVENTS * EVENT_DATA_LEN);
  private count = 0;

  /** Notes one packet: `before` and `after` are its bytes at either end of the hook. */
  note(
    ingress: boolean,
    ifindex: number,
    reason: number,
    verdict: number,
    before: Uint8Array,
    lenBefore: number,
    after: Uint8Array,
    afterOff: number,
    lenAfter: number,
  ): void {
    const i = this.count++;
    const len = Math.min(ingress ? lenBefore : lenAfter, EVENT_DATA_LEN);
    this.fields.set(
      [ifindex, ingress ? HOOK_INGRESS : HOOK_EGRESS, reason, verdict, lenBefore, lenAfter, len],
      i * FIELDS.length,
    );
    const from = ingress ? before.subarray(0, len) : after.subarray(afterOff, afterOff + len);
    this.data.set(from, i * EVENT_DATA_LEN);
  }

  /** Reads what was written, and gives the first thing that is not as noted. Starts afresh. */
  settle(ring: RingReader): { what: string; reference: string; kernel: string } | undefined {
    let n = 0;
    let found: { what: string; reference: string; kernel: string } | undefined;
    ring.read((record) => {
      if (!found && n < this.count) found = this.compare(n, record);
      n++;
    });
    if (n !== this.count) found ??= { what: "events", reference: String(this.count), kernel: String(n) };
    this.count = 0;
    return found;
  }

  private compare(i: number, record: Uint8Array): { what: string; reference: string; kernel: string } | undefined {
    for (const [k, name] of FIELDS.entries()) {
      const want = this.fields[i * FIELDS.length + k];
      const got = rdLe32(record, event.offset(name));
      if (want !== got) return { what: `event ${i + 1} ${name}`, reference: String(want), kernel: String(got) };
    }
    const caplen = this.fields[i * FIELDS.length + FIELDS.indexOf("caplen")];
    for (let j = 0; j < caplen; j++) {
      const want = this.data[i * EVENT_DATA_LEN + j];
      if (record[DATA + j] !== want)
        return { what: `event ${i + 1} byte ${j}`, reference: String(want), kernel: String(record[DATA + j]) };
    }
    return undefined;
  }
}
