/** Dissects GUE (draft-ietf-intarea-gue section 3; G and SEC: draft-ietf-intarea-gue-extensions) and what is inside. */
import { toHex } from "./bytes.ts";
import { dissectIpv4 } from "./dissect-ipv4.ts";
import {
  add,
  addBits,
  addBytes,
  bytesLayer,
  type Dissection,
  hex,
  type LayerNode,
  layer,
  truncated,
} from "./dissect-types.ts";
import {
  GUE_BASE_HLEN,
  GUE_CTYPE_PING,
  GUE_FLAGS,
  GUE_GROUP,
  GUE_HLEN_DATA,
  GUE_HLEN_PING,
  GUE_KEY,
  GUE_KEY_LEN,
  GUE_PROTO_IPV4,
  GUE_SERVICE,
  GUE_TUNNEL_ID,
  gueDefaultTunnelId,
  gueFlags,
  gueGroup,
  gueHlen,
  gueIsControl,
  gueProto,
  gueService,
  gueTunnelId,
  gueVersion,
} from "./gue.ts";
import { ascii } from "./hexdump.ts";

const BASE = "draft-ietf-intarea-gue section 3.1";
const EXT = "draft-ietf-intarea-gue-extensions";
const TRUE_INGRESS = "True Ingress";

/** Dissects the UDP payload [off, end). */
export function dissectGue(d: Dissection, off: number, end: number): LayerNode {
  const { b } = d;
  const out = layer("gue", "GUE", off, GUE_BASE_HLEN);
  if (end - off < GUE_BASE_HLEN) return truncated(out, b, off, end, GUE_BASE_HLEN);
  const version = gueVersion(b, off);
  const control = gueIsControl(b, off);
  const hlen = gueHlen(b, off);
  const proto = gueProto(b, off);
  const flags = gueFlags(b, off);
  addBits(out, "version", off, 0, 2, version, String(version), "", BASE, version === 0 ? "" : "not 0");
  addBits(out, "C bit", off, 2, 1, control ? 1 : 0, control ? "1" : "0", control ? "control message" : "data", BASE);
  addBits(out, "Hlen", off, 3, 5, hlen, String(hlen), `words behind the first: ${hlen * 4} bytes`, BASE);
  if (control) add(out, "control type", off + 1, 1, proto, String(proto), proto === GUE_CTYPE_PING ? "ping" : "", BASE);
  else add(out, "protocol", off + 1, 1, proto, String(proto), proto === GUE_PROTO_IPV4 ? "IPv4" : "", BASE);
  add(out, "flags", off + 2, 2, flags, hex(flags), flagsMeaning(flags), EXT);
  if (version !== 0) {
    addBytes(out, b, "bytes", off + GUE_BASE_HLEN, end);
    out.length = end - off;
    return out;
  }
  const headerEnd = off + GUE_BASE_HLEN + hlen * 4;
  if (headerEnd > end) {
    out.notes.push(`truncated: Hlen promises ${hlen * 4} more bytes, ${end - off - GUE_BASE_HLEN} are there`);
    addBytes(out, b, "bytes", off + GUE_BASE_HLEN, end);
    out.length = end - off;
    return out;
  }
  out.length = headerEnd - off;
  if (flags === GUE_FLAGS && (hlen === GUE_HLEN_DATA || hlen === GUE_HLEN_PING)) addFields(out, b, off, hlen, control);
  else addBytes(out, b, "fields", off + GUE_BASE_HLEN, headerEnd, EXT);
  out.title = control ? (proto === GUE_CTYPE_PING ? "GUE ping" : "GUE control") : hlen === 0 ? "GUE (plain)" : "GUE";
  if (headerEnd === end) return out;
  if (!control && proto === GUE_PROTO_IPV4) out.children.push(dissectIpv4(d, headerEnd, end, "whole"));
  else out.children.push(bytesLayer(b, "payload", control ? "Bytes behind the message" : "Payload", headerEnd, end));
  return out;
}

function addFields(out: LayerNode, b: Uint8Array, off: number, hlen: number, control: boolean): void {
  const [group, service] = [gueGroup(b, off), gueService(b, off)];
  add(out, "group id", off + GUE_GROUP, 2, group, String(group), "upper half of the group identifier", TRUE_INGRESS);
  add(
    out,
    "service id",
    off + GUE_SERVICE,
    2,
    service,
    String(service),
    "lower half of the group identifier",
    TRUE_INGRESS,
  );
  const key = off + GUE_KEY;
  const text = toHex(b, key, key + GUE_KEY_LEN);
  const meaning = `the service's key: ${ascii(b, key, key + GUE_KEY_LEN)}`;
  add(out, "security field", key, GUE_KEY_LEN, text, text, meaning, EXT);
  if (hlen === GUE_HLEN_PING) {
    const id = gueTunnelId(b, off);
    const usual = control && id === gueDefaultTunnelId(group, service) ? "group << 16 | service" : "";
    add(out, "tunnel id", off + GUE_TUNNEL_ID, 4, id, String(id), usual, TRUE_INGRESS);
  }
}

function flagsMeaning(flags: number): string {
  if (flags === 0) return "no fields";
  const parts: string[] = [];
  if (flags & 0x8000) parts.push("G: group identifier");
  const sec = (flags >>> 12) & 7;
  if (sec) parts.push(`SEC ${sec}: ${sec === 2 ? "128-bit" : "other"} security field`);
  if (flags & 0x0fff) parts.push(`others ${hex(flags & 0x0fff, 3)}`);
  return parts.join(", ");
}
