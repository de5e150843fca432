/** What a client does: curl, ping, udp, with real packets. */
import { LabError } from "../../../errors.ts";
import { flag, num, optNum, optStr } from "../../common/args.ts";
import { curlRequest, curlResult, pingResult, udpRequest, udpResult } from "../../common/results.ts";
import { curl } from "../curl.ts";
import { pingFrom } from "../pinger.ts";
import { SysError } from "../sys.ts";
import { askUdp } from "../udp.ts";
import { type Handlers, hostOf } from "./handler.ts";

const NS_PER_MS = 1_000_000;
const ms = (ns: number): number => ns / NS_PER_MS;

export const REQUESTS: Handlers = {
  async curl(lab, cmd) {
    const { timeoutNs, ...request } = curlRequest(cmd);
    const options = { ...request, timeoutMs: ms(timeoutNs), hasher: lab.sha256 };
    const result = await curl(hostOf(lab, cmd).ns, options);
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
