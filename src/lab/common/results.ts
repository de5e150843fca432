/** What commands ask, print and give as values: the same from a simulated network and from a real one. */
import { LabError } from "../../errors.ts";
import type { Command } from "../../scenario/command.ts";
import type { CommandResult } from "../../scenario/lab.ts";
import { requestBody } from "../../sim/content.ts";
import type { HttpResult } from "../../sim/http-client.ts";
import type { PingResult } from "../../sim/ping.ts";
import type { Hasher } from "../../sim/sha256.ts";
import { type ByteSource, bytesSource } from "../../sim/tcp/send-queue.ts";
import { MS, SEC } from "../../sim/types.ts";
import { ICMP_FRAG_NEEDED } from "../../wire/icmp.ts";
import { formatIpv4, parseIpv4 } from "../../wire/ipv4.ts";
import { optNum, optStr, str } from "./args.ts";

/** Bodies of more bytes are summed up in one line. */
const PRINTED_BODY = 4096;
const CURL_LIMIT_NS = 60 * SEC;

/** A curl command as a request, whatever sends it; without --max-time it is given up after a minute. */
export function curlRequest(cmd: Command) {
  const text = optStr(cmd, "data");
  const size = optNum(cmd, "dataSize");
  let body: ByteSource | undefined;
  if (text !== undefined) body = bytesSource(new TextEncoder().encode(text));
  else if (size !== undefined) body = requestBody(size);
  return {
    ...splitUrl(str(cmd, "url")),
    method: optStr(cmd, "method"),
    body,
    localPort: optNum(cmd, "localPort"),
    timeoutNs: optNum(cmd, "maxTime") ?? CURL_LIMIT_NS,
  };
}

/** A result of some lines. */
export const printed = (output: string[], data: Record<string, unknown> = {}): CommandResult => ({ output, data });

function splitUrl(url: string): { ip: number; port: number; path: string } {
  const m = /^http:\/\/([\d.]+)(?::(\d+))?(\/[^#]*)?/.exec(url);
  const ip = m ? parseIpv4(m[1]) : undefined;
  if (!m || ip === undefined)
    throw new LabError("ERR_URL", `${url} is not a URL that the lab can fetch`, {
      hint: "Write http://IP[:PORT][/PATH].",
    });
  return { ip, port: m[2] === undefined ? 80 : Number(m[2]), path: m[3] ?? "/" };
}

export function curlResult(r: HttpResult, quiet: boolean): CommandResult {
  const { status, body, size, sha256, localPort, error } = r;
  if (error !== undefined) return printed([`curl: ${error} after ${size} bytes`], { size, localPort, error });
  const output = [`HTTP ${status} ${r.reason}, ${size} bytes, sha256 ${sha256.slice(0, 16)}...`];
  if (body !== undefined && body.length <= PRINTED_BODY && !quiet) output.push(...body.replace(/\n$/, "").split("\n"));
  return printed(output, { status, body, size, sha256, localPort });
}

export function pingResult(daddr: number, size: number, r: PingResult): CommandResult {
  const rtts = r.rttNs.map((ns) => ns / MS);
  const output = [`${r.sent} sent to ${formatIpv4(daddr)}, ${size} bytes, ${r.received} answered`];
  if (rtts.length > 0) output[0] += `, round trip ${Math.min(...rtts).toFixed(3)}-${Math.max(...rtts).toFixed(3)} ms`;
  for (const e of r.errors)
    output.push(
      e.type < 0
        ? `request ${e.seq}: not sent (no route, or too big for DF)`
        : `request ${e.seq}: ICMP type ${e.type} code ${e.code} from ${formatIpv4(e.from)}${e.code === ICMP_FRAG_NEEDED && e.mtu > 0 ? `, next-hop MTU ${e.mtu}` : ""}`,
    );
  const first = r.errors[0];
  return printed(output, {
    sent: r.sent,
    received: r.received,
    errors: r.errors.length,
    icmpType: first?.type,
    icmpCode: first?.code,
    mtu: first?.mtu,
  });
}

/** The wanted size of the reply in front, then zeros. */
export function udpRequest(size: number, reply: number | undefined): Uint8Array {
  const payload = new Uint8Array(size);
  if (reply !== undefined) payload.set(new TextEncoder().encode(`${reply} `).subarray(0, size));
  return payload;
}

/** What a reply of the UDP service says: it is filled up with dots to the size that was asked for. */
export function udpReply(reply: Uint8Array, hasher: Hasher): Record<string, unknown> {
  hasher.update(reply, 0, reply.length);
  const text = new TextDecoder().decode(reply).replace(/\.*$/, "");
  return { size: reply.length, body: text, sha256: hasher.hex() };
}

/** `data` holds `error`, or udpReply's values, or nothing where no reply was waited for. */
export function udpResult(data: Record<string, unknown>, timeNs: number): CommandResult {
  const line = data.error ?? (data.size === undefined ? "sent" : `${data.size} bytes: ${data.body}`);
  return printed([`${line}, ${(timeNs / MS).toFixed(3)} ms`], data);
}
