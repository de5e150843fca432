/** http_start, udp_serve and their undoing on real sockets. */
import { formatIpv4 } from "../../../wire/ipv4.ts";
import { optNum, str } from "../../common/args.ts";
import { endpointInUse, startService, stopService } from "../../common/services.ts";
import { serveHttp } from "../http-service.ts";
import { SysError } from "../sys.ts";
import { serveUdp } from "../udp.ts";
import type { LinuxHost } from "../world.ts";
import { type Handlers, hostOf } from "./handler.ts";

export const SERVICES: Handlers = {
  http_start(lab, cmd) {
    const node = lab.host(str(cmd, "node"));
    return startService(node, cmd, "tcp", (addr, port, serviceId) => {
      const endpoint = `${formatIpv4(addr)}:${port}`;
      const options = { addr, port, serviceId, node: node.def.name, endpoint };
      return listening(node, "tcp", endpoint, () => serveHttp(node.ns, options));
    });
  },
  http_stop: (lab, cmd) => stopService(lab.host(str(cmd, "node")), cmd, "tcp"),

  udp_serve(lab, cmd) {
    const node = hostOf(lab, cmd);
    return startService(node, cmd, "udp", (addr, port, id) => {
      const endpoint = `${formatIpv4(addr)}:${port}`;
      const options = { host: node.def.name, id, addr, port, endpoint, replySize: optNum(cmd, "replySize") };
      return listening(node, "udp", endpoint, () => serveUdp(node.ns, options));
    });
  },
  udp_stop: (lab, cmd) => stopService(hostOf(lab, cmd), cmd, "udp"),
};

function listening(node: LinuxHost, proto: string, endpoint: string, start: () => () => void): () => void {
  try {
    return start();
  } catch (err) {
    if (err instanceof SysError && err.errno === "EADDRINUSE") throw endpointInUse(node, proto, endpoint);
    throw err;
  }
}
