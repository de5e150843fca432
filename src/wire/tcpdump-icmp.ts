/** ICMP in tcpdump's words (print-icmp.c). */
import { rd16, rd32 } from "./bytes.ts";
import { csumFold, csumPartial } from "./checksum.ts";
import { ICMP_HLEN, icmpIsError } from "./icmp.ts";
import { formatIpv4, IPV4_HLEN, ipDaddr, ipHlen, ipProto } from "./ipv4.ts";

/** A message in [off, end); `quoted` prints the packet that an error carries. */
export function icmpText(
  b: Uint8Array,
  off: number,
  end: number,
  quoted: (off: number, end: number) => string,
): string {
  if (end - off < ICMP_HLEN) return " [|icmp]";
  const [type, code] = [b[off], b[off + 1]];
  const len = end - off;
  let text = `ICMP ${messageText(b, off, end, type, code)}, length ${len}`;
  const sum = csumFold(csumPartial(b, off, len));
  if (sum !== 0xffff) {
    const check = rd16(b, off + 2);
    const should = ~csumFold(csumPartial(b, off, len) + (~check & 0xffff)) & 0xffff;
    text += ` (wrong icmp cksum ${check.toString(16)} (->${should.toString(16)})!)`;
  }
  if (!icmpIsError(type) || len <= ICMP_HLEN) return text;
  return `${text}\n\t${quoted(off + ICMP_HLEN, end)}`;
}

function messageText(b: Uint8Array, off: number, end: number, type: number, code: number): string {
  if (type === 8 || type === 0)
    return `echo ${type === 8 ? "request" : "reply"}, id ${rd16(b, off + 4)}, seq ${rd16(b, off + 6)}`;
  if (type === 3) return unreachText(b, off, end, code);
  if (type === 5) return redirectText(b, off, end, code);
  if (type === 11) {
    if (code === 0) return "time exceeded in-transit";
    if (code === 1) return "ip reassembly time exceeded";
    return `time exceeded-#${code}`;
  }
  if (type === 12) return code === 0 ? `parameter problem - octet ${b[off + 4]}` : `parameter problem - code ${code}`;
  return `type-#${type}`;
}

function redirectText(b: Uint8Array, off: number, end: number, code: number): string {
  const ip = off + ICMP_HLEN;
  if (end - ip < IPV4_HLEN || code > 3) return `redirect-#${code}`;
  const kind = `redirect${code >= 2 ? "-tos" : ""}`;
  const to = formatIpv4(rd32(b, off + 4));
  return `${kind} ${formatIpv4(ipDaddr(b, ip))} to ${code % 2 === 0 ? "net" : "host"} ${to}`;
}

function unreachText(b: Uint8Array, off: number, end: number, code: number): string {
  const ip = off + ICMP_HLEN;
  if (end - ip < IPV4_HLEN) return `unreachable-#${code}`;
  const to = formatIpv4(ipDaddr(b, ip));
  const l4 = ip + ipHlen(b, ip);
  switch (code) {
    case 0:
      return `net ${to} unreachable`;
    case 1:
      return `host ${to} unreachable`;
    case 2:
      return `${to} protocol ${ipProto(b, ip)} unreachable`;
    case 3: {
      if (end - l4 < 4) return `${to} unreachable`;
      const proto = ipProto(b, ip) === 6 ? "tcp" : ipProto(b, ip) === 17 ? "udp" : `protocol ${ipProto(b, ip)}`;
      return `${to} ${proto} port ${rd16(b, l4 + 2)} unreachable`;
    }
    case 4: {
      const mtu = rd16(b, off + 6);
      return mtu === 0 ? `${to} unreachable - need to frag` : `${to} unreachable - need to frag (mtu ${mtu})`;
    }
    case 5:
      return `${to} unreachable - source route failed`;
    case 9:
      return `net ${to} unreachable - admin prohibited`;
    case 10:
      return `host ${to} unreachable - admin prohibited`;
    case 13:
      return `host ${to} unreachable - admin prohibited filter`;
    default:
      return `${to} unreachable - #${code}`;
  }
}
