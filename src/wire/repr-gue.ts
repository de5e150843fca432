/** Plain objects for GUE as True Ingress speaks it, and for plain Linux GUE (see gue.ts for the header). */
import { rd16, wr32 } from "./bytes.ts";
import {
  GUE_BASE_HLEN,
  GUE_CTYPE_PING,
  GUE_DATA_HLEN,
  GUE_FLAGS,
  GUE_HLEN_DATA,
  GUE_HLEN_PING,
  GUE_HLEN_PLAIN,
  GUE_KEY,
  GUE_KEY_LEN,
  GUE_PING_LEN,
  GUE_PROTO_IPV4,
  gueCheck,
  gueFlags,
  gueGroup,
  gueHlen,
  gueIsControl,
  gueProto,
  gueService,
  gueTunnelId,
  gueVersion,
  writeGueData,
  writeGuePing,
} from "./gue.ts";

/** `payload` of data and plain packets is the inner packet; the older ping has no `tunnelId`. */
export type GueRepr =
  | { kind: "data"; group: number; service: number; key: Uint8Array; payload: Uint8Array }
  | { kind: "ping"; group: number; service: number; key: Uint8Array; tunnelId?: number }
  | { kind: "plain"; proto: number; payload: Uint8Array };

/** Undefined for anything that is not exactly one of the three forms; bytes behind a ping are ignored. */
export function parseGue(b: Uint8Array, off = 0, end = b.length): GueRepr | undefined {
  if (off < 0 || !gueCheck(b, off, end) || gueVersion(b, off) !== 0) return undefined;
  const hlen = gueHlen(b, off);
  if (hlen === GUE_HLEN_PLAIN && rd16(b, off + 2) === 0 && !gueIsControl(b, off))
    return { kind: "plain", proto: gueProto(b, off), payload: b.slice(off + GUE_BASE_HLEN, end) };
  if (gueFlags(b, off) !== GUE_FLAGS) return undefined;
  if (hlen !== GUE_HLEN_DATA && hlen !== GUE_HLEN_PING) return undefined;
  const id = {
    group: gueGroup(b, off),
    service: gueService(b, off),
    key: b.slice(off + GUE_KEY, off + GUE_KEY + GUE_KEY_LEN),
  };
  if (gueIsControl(b, off)) {
    if (gueProto(b, off) !== GUE_CTYPE_PING) return undefined;
    return hlen === GUE_HLEN_PING ? { kind: "ping", ...id, tunnelId: gueTunnelId(b, off) } : { kind: "ping", ...id };
  }
  if (hlen !== GUE_HLEN_DATA || gueProto(b, off) !== GUE_PROTO_IPV4) return undefined;
  return { kind: "data", ...id, payload: b.slice(off + GUE_DATA_HLEN, end) };
}

/** The UDP payload. */
export function emitGue(r: GueRepr): Uint8Array {
  if (r.kind === "plain") {
    const out = new Uint8Array(GUE_BASE_HLEN + r.payload.length);
    out[1] = r.proto;
    out.set(r.payload, GUE_BASE_HLEN);
    return out;
  }
  if (r.kind === "data") {
    const out = new Uint8Array(GUE_DATA_HLEN + r.payload.length);
    writeGueData(out, 0, r.group, r.service, r.key);
    out.set(r.payload, GUE_DATA_HLEN);
    return out;
  }
  const out = new Uint8Array(GUE_PING_LEN);
  writeGuePing(out, 0, r.group, r.service, r.key, r.tunnelId ?? 0);
  if (r.tunnelId !== undefined) return out;
  wr32(out, 0, 0x2501a000);
  return out.slice(0, GUE_DATA_HLEN);
}
