/** What a client does: curl, ping, udp, with real packets. */
import { LabError } from "../../../errors.ts";
import { requestBody } from "../../../sim/content.ts";
import { bytesSource } from "../../../sim/tcp/send-queue.ts";
import { flag, num, optNum, optStr, str } from "../../common/args.ts";
import { curlResult, pingResult, splitUrl, udpRequest, udpResult } from "../../common/results.ts";
import { curl } from "../curl.ts";
import { pingFrom } from "../pinger.ts";
import { SysError } from "../sys.ts";
import { askUdp } from "../udp.ts";
import { type Handlers, hostOf } from "./handler.ts";

const NS_PER_MS = 1_000_000;
const ms = (ns: number): number => ns / NS_PER_MS;

export const REQUESTS: Handlers = {
  async curl(lab, cmd) {
    const { ip, port, path } = splitUrl(str(cmd, "url"));
    const text = optStr(cmd, "data");
    const size = optNum(cmd, "dataSize");
    const body =
      text !== undefined
        ? bytesSource(new TextEncoder().encode(text))
        : size !== undefined
          ? requestBody(size)
          : undefined;
    const maxTime = optNum(cmd, "maxTime");
    const result = await curl(hostOf(lab, cmd).ns, {
      ip,
      port,
      path,
      method: optStr(cmd, "method"),
      body,
      localPort: optNum(cmd, "localPort"),
      timeoutMs: maxTime === undefined ? 60_000 : ms(maxTime),
      hasher: lab.sha256,
    });
    return curlResult(result, optStr(cmd, "output") !== undefined);
  },

  async ping(lab, cmd) {
    const daddr = num(cmd, "ip");
    const size = optNum(cmd, "size") ?? 56;
    const interval = optNum(cmd, "interval");
    const timeout = optNum(cmd, "timeout");
    const result = await pingFrom(hostOf(lab, cmd).ns, daddr, {
      count: optNum(cmd, "count") ?? 3,
      size,
      df: optStr(cmd, "df") === "do",
      intervalMs: interval === undefined ? 200 : ms(interval),
      timeoutMs: timeout === undefined ? 1000 : ms(timeout),
    });
    return pingResult(daddr, size, result);
  },

  async udp(lab, cmd) {
    const node = hostOf(lab, cmd);
    const localPort = optNum(cmd, "localPort");
    const started = lab.now();
    const timeout = optNum(cmd, "timeout");
    const request = {
      ip: num(cmd, "ip"),
      port: num(cmd, "port"),
      localPort,
      payload: udpRequest(num(cmd, "size"), optNum(cmd, "reply")),
      df: flag(cmd, "df"),
      timeoutMs: flag(cmd, "noReply") ? undefined : timeout === undefined ? 1000 : ms(timeout),
      hasher: lab.sha256,
    };
    try {
      return udpResult(await askUdp(node.ns, request), lab.now() - started);
    } catch (err) {
      if (!(err instanceof SysError) || err.errno !== "EADDRINUSE") throw err;
      throw new LabError("ERR_ENDPOINT_IN_USE", `UDP port ${localPort ?? "range"} of ${node.def.name} is in use`);
    }
  },
};
