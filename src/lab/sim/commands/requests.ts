/** What a client does: curl, ping, udp. Each is a task that ends in virtual time. */
import { LabError } from "../../../errors.ts";
import type { CommandResult } from "../../../scenario/lab.ts";
import { httpRequest } from "../../../sim/http-client.ts";
import { Pinger } from "../../../sim/ping.ts";
import { MS, SEC } from "../../../sim/types.ts";
import { flag, num, optNum, optStr } from "../../common/args.ts";
import { curlRequest, curlResult, pingResult, udpReply, udpRequest, udpResult } from "../../common/results.ts";
import { Task } from "../task.ts";
import { type Handlers, hostOf } from "./handler.ts";

export const REQUESTS: Handlers = {
  curl(lab, cmd) {
    const task = new Task<CommandResult>();
    const options = { ...curlRequest(cmd), hasher: lab.sha256 };
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
      finish(udpReply(buf.subarray(off, off + len), lab.sha256()));
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
      task.resolve(udpResult(data, time));
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
