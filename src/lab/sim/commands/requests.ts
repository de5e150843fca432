/** What a client does: curl, ping, udp. Each is a task that ends in virtual time. */
import { LabError } from "../../../errors.ts";
import type { CommandResult } from "../../../scenario/lab.ts";
import { requestBody } from "../../../sim/content.ts";
import { type HttpResult, httpRequest } from "../../../sim/http-client.ts";
import { Pinger, type PingResult } from "../../../sim/ping.ts";
import { bytesSource } from "../../../sim/tcp/send-queue.ts";
import { MS, SEC } from "../../../sim/types.ts";
import { ICMP_FRAG_NEEDED } from "../../../wire/icmp.ts";
import { formatIpv4, parseIpv4 } from "../../../wire/ipv4.ts";
import { flag, num, optNum, optStr, str } from "../args.ts";
import { Task } from "../task.ts";
import { type Handlers, hostOf, printed } from "./handler.ts";

const CURL_LIMIT_NS = 60 * SEC;
/** Bodies of more bytes are summed up in one line. */
const PRINTED_BODY = 4096;

export const REQUESTS: Handlers = {
  curl(lab, cmd) {
    const { ip, port, path } = splitUrl(str(cmd, "url"));
    const text = optStr(cmd, "data");
    const size = optNum(cmd, "dataSize");
    const body =
      text !== undefined
        ? bytesSource(new TextEncoder().encode(text))
        : size !== undefined
          ? requestBody(size)
          : undefined;
    const task = new Task<CommandResult>();
    const options = {
      ip,
      port,
      path,
      method: optStr(cmd, "method"),
      body,
      localPort: optNum(cmd, "localPort"),
      timeoutNs: optNum(cmd, "maxTime") ?? CURL_LIMIT_NS,
      hasher: lab.sha256,
    };
    const quiet = optStr(cmd, "output") !== undefined;
    httpRequest(hostOf(lab, cmd).tcp, options, (result) => task.resolve(curlResult(result, quiet)));
    return task;
  },

  ping(lab, cmd) {
    const { host } = hostOf(lab, cmd);
    const daddr = num(cmd, "ip");
    const size = optNum(cmd, "size") ?? 56;
    const task = new Task<CommandResult>();
    const options = {
      count: optNum(cmd, "count") ?? 3,
      size,
      df: optStr(cmd, "df") === "do",
      intervalNs: optNum(cmd, "interval") ?? 200 * MS,
      timeoutNs: optNum(cmd, "timeout") ?? SEC,
    };
    new Pinger(host.icmp, host.ip.clock, daddr, options, (result) => task.resolve(pingResult(daddr, size, result)));
    return task;
  },

  udp(lab, cmd) {
    const { host } = hostOf(lab, cmd);
    const ip = num(cmd, "ip");
    const port = num(cmd, "port");
    const size = num(cmd, "size");
    const task = new Task<CommandResult>();
    const started = host.ip.clock.now;
    const timer = host.ip.clock.timer(() => finish({ error: "ETIMEDOUT" }));
    const socket = host.udp.bind(0, optNum(cmd, "localPort") ?? 0, (buf, off, len) => {
      const hasher = lab.sha256();
      hasher.update(buf, off, len);
      // A reply is filled up with dots to the size that was asked for.
      const text = new TextDecoder().decode(buf.subarray(off, off + len)).replace(/\.*$/, "");
      finish({ size: len, body: text, sha256: hasher.hex() });
    });
    if (socket === undefined)
      throw new LabError(
        "ERR_ENDPOINT_IN_USE",
        `UDP port ${optNum(cmd, "localPort") ?? "range"} of ${host.name} is in use`,
      );
    const finish = (data: Record<string, unknown>): void => {
      timer.stop();
      socket.close();
      const time = host.ip.clock.now - started;
      const line = data.error ?? (data.size === undefined ? "sent" : `${data.size} bytes: ${data.body}`);
      task.resolve(printed([`${line}, ${(time / MS).toFixed(3)} ms`], data));
    };
    socket.pmtuMode = flag(cmd, "df") ? "do" : "dont";
    socket.connect(ip, port);
    // A receiver that waits is woken by an ICMP error, as recv(2) is.
    socket.onError = (error) => finish({ error });
    const status = socket.send(udpRequest(size, optNum(cmd, "reply")));
    if (status !== "ok") finish({ error: status });
    else if (flag(cmd, "noReply")) finish({});
    else if (!task.settled) timer.start(optNum(cmd, "timeout") ?? SEC);
    return task;
  },
};

function splitUrl(url: string): { ip: number; port: number; path: string } {
  const m = /^http:\/\/([\d.]+)(?::(\d+))?(\/[^#]*)?/.exec(url);
  const ip = m ? parseIpv4(m[1]) : undefined;
  if (!m || ip === undefined)
    throw new LabError("ERR_URL", `${url} is not a URL that the lab can fetch`, {
      hint: "Write http://IP[:PORT][/PATH].",
    });
  return { ip, port: m[2] === undefined ? 80 : Number(m[2]), path: m[3] ?? "/" };
}

function curlResult(r: HttpResult, quiet: boolean): CommandResult {
  const { status, body, size, sha256, localPort, error } = r;
  if (error !== undefined) return printed([`curl: ${error} after ${size} bytes`], { size, localPort, error });
  const output = [`HTTP ${status} ${r.reason}, ${size} bytes, sha256 ${sha256.slice(0, 16)}...`];
  if (body !== undefined && body.length <= PRINTED_BODY && !quiet) output.push(...body.replace(/\n$/, "").split("\n"));
  return printed(output, { status, body, size, sha256, localPort });
}

function pingResult(daddr: number, size: number, r: PingResult): CommandResult {
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
function udpRequest(size: number, reply: number | undefined): Uint8Array {
  const payload = new Uint8Array(size);
  if (reply !== undefined) payload.set(new TextEncoder().encode(`${reply} `).subarray(0, size));
  return payload;
}
