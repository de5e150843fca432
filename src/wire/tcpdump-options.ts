/** IPv4 and TCP options in tcpdump's words (print-ip.c, print-tcp.c). */
import { rd16, rd32, toHex } from "./bytes.ts";
import { formatIpv4 } from "./ipv4.ts";

const IP_OPTIONS: Record<number, string> = { 7: "RR", 68: "timestamp", 131: "LSRR", 137: "SSRR", 148: "RA" };

/** Options in [off, end), comma-separated. */
export function ipOptionsText(b: Uint8Array, off: number, end: number): string {
  const out: string[] = [];
  let o = off;
  while (o < end) {
    const type = b[o];
    if (type === 0) {
      out.push("EOL");
      break;
    }
    if (type === 1) {
      out.push("NOP");
      o++;
      continue;
    }
    const len = o + 1 < end ? b[o + 1] : 0;
    const name = IP_OPTIONS[type] ?? `unknown ${type}`;
    if (len < 2 || o + len > end) return [...out, `${name} [bad length ${len}]`].join(",");
    if (type === 148 && len === 4 && rd16(b, o + 2) !== 0) out.push(`${name} value ${rd16(b, o + 2)}`);
    else out.push(type === 7 || type === 131 || type === 137 ? name + routeText(b, o, len) : name);
    o += len;
  }
  return out.join(",");
}

/** The addresses of a route option; a comma behind those that its pointer has passed. */
function routeText(b: Uint8Array, o: number, len: number): string {
  if (len < 3 || (len + 1) % 4 !== 0) return ` [bad length ${len}]`;
  const ptr = b[o + 2] - 1;
  let text = ptr < 3 || (ptr + 1) % 4 !== 0 ? ` [bad ptr ${b[o + 2]}]` : "";
  for (let i = 3; i < len; i += 4) text += ` ${formatIpv4(rd32(b, o + i))}${ptr > i ? "," : ""}`;
  return text;
}

/** Options in [off, end), comma-separated; SACK blocks are relative to `sackBase`. */
export function tcpOptionsText(b: Uint8Array, off: number, end: number, sackBase = 0): string {
  const out: string[] = [];
  let o = off;
  while (o < end) {
    const kind = b[o];
    if (kind === 0) {
      out.push("eol");
      break;
    }
    if (kind === 1) {
      out.push("nop");
      o++;
      continue;
    }
    const len = o + 1 < end ? b[o + 1] : 0;
    if (len < 2 || o + len > end) return [...out, `[bad opt]`].join(",");
    out.push(tcpOptionText(b, o, len, sackBase));
    o += len;
  }
  return out.join(",");
}

function tcpOptionText(b: Uint8Array, o: number, len: number, sackBase: number): string {
  switch (b[o]) {
    case 2:
      return len === 4 ? `mss ${rd16(b, o + 2)}` : `mss [len ${len}]`;
    case 3:
      return len === 3 ? `wscale ${b[o + 2]}` : `wscale [len ${len}]`;
    case 4:
      return "sackOK";
    case 5: {
      const edge = (at: number): number => (rd32(b, at) - sackBase) >>> 0;
      const blocks: string[] = [];
      for (let i = o + 2; i + 8 <= o + len; i += 8) blocks.push(`{${edge(i)}:${edge(i + 4)}}`);
      return `sack ${blocks.length} ${blocks.join("")}`;
    }
    case 8:
      return `TS val ${rd32(b, o + 2)} ecr ${rd32(b, o + 6)}`;
    default:
      return `unknown-${b[o]}${len > 2 ? ` 0x${toHex(b, o + 2, o + len)}` : ""}`;
  }
}
