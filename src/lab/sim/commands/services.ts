/** http_start, udp_serve and their undoing in the simulated lab. */
import { HttpServer } from "../../../sim/http-server.ts";
import { UdpEcho } from "../../../sim/udp-echo.ts";
import { formatIpv4 } from "../../../wire/ipv4.ts";
import { optNum, str } from "../../common/args.ts";
import { endpointInUse, startService, stopService } from "../../common/services.ts";
import { type Handlers, hostOf } from "./handler.ts";

export const SERVICES: Handlers = {
  http_start(lab, cmd) {
    const node = lab.host(str(cmd, "node"));
    return startService(node, cmd, "tcp", (addr, port, id) => {
      const options = { addr, port, serviceId: id, node: node.def.name, hasher: lab.sha256 };
      const server = new HttpServer(node.tcp, options);
      return () => server.close();
    });
  },
  http_stop: (lab, cmd) => stopService(lab.host(str(cmd, "node")), cmd, "tcp"),

  udp_serve(lab, cmd) {
    const node = hostOf(lab, cmd);
    return startService(node, cmd, "udp", (addr, port, id) => {
      const endpoint = `${formatIpv4(addr)}:${port}`;
      const options = { host: node.def.name, id, addr, port, endpoint, replySize: optNum(cmd, "replySize") };
      const server = UdpEcho.start(node.host.udp, options);
      if (server === undefined) throw endpointInUse(node, "udp", endpoint);
      return () => server.stop();
    });
  },
  udp_stop: (lab, cmd) => stopService(hostOf(lab, cmd), cmd, "udp"),
};
