/** http_start, udp_serve and their undoing. A service's address stands on `lo`, as often as services need it. */
import { LabError } from "../../../errors.ts";
import type { Command } from "../../../scenario/command.ts";
import { HttpServer } from "../../../sim/http-server.ts";
import { UdpEcho } from "../../../sim/udp-echo.ts";
import { formatIpv4 } from "../../../wire/ipv4.ts";
import { num, optNum, str } from "../args.ts";
import type { Service, SimHost } from "../world.ts";
import { type Handlers, hostOf, printed } from "./handler.ts";

export const SERVICES: Handlers = {
  http_start(lab, cmd) {
    const node = lab.host(str(cmd, "node"));
    return start(node, cmd, "tcp", (addr, port, id) => {
      const options = { addr, port, serviceId: id, node: node.def.name, hasher: lab.sha256 };
      const server = new HttpServer(node.tcp, options);
      return () => server.close();
    });
  },
  http_stop: (lab, cmd) => stop(lab.host(str(cmd, "node")), cmd, "tcp"),

  udp_serve(lab, cmd) {
    const node = hostOf(lab, cmd);
    return start(node, cmd, "udp", (addr, port, id) => {
      const endpoint = `${formatIpv4(addr)}:${port}`;
      const options = { host: node.def.name, id, addr, port, endpoint, replySize: optNum(cmd, "replySize") };
      const server = UdpEcho.start(node.host.udp, options);
      if (server === undefined) throw endpointInUse(node, "udp", endpoint);
      return () => server.stop();
    });
  },
  udp_stop: (lab, cmd) => stop(hostOf(lab, cmd), cmd, "udp"),
};

type Starter = (addr: number, port: number, id: string) => () => void;

function start(node: SimHost, cmd: Command, proto: string, starter: Starter) {
  const addr = num(cmd, "ip");
  const port = num(cmd, "port");
  const id = str(cmd, "id");
  const endpoint = `${formatIpv4(addr)}:${port}`;
  // "This network", multicast and broadcast are nobody's own (RFC 1122 section 3.2.1.3).
  if (addr >>> 24 === 0 || addr >>> 28 >= 14)
    throw new LabError("ERR_ADDRESS", `${formatIpv4(addr)} cannot be the address of a service`, {
      hint: "Choose a unicast address such as 1.1.1.1.",
    });
  const key = `${proto} ${endpoint}`;
  if (node.services.has(key)) throw endpointInUse(node, proto, endpoint);
  for (const [other, service] of node.services)
    if (service.id === id)
      throw new LabError("ERR_SERVICE_IN_USE", `service ${id} runs on ${node.def.name} already, at ${other}`, {
        hint: "Two services on one node need different ids.",
      });
  const stopServer = starter(addr, port, id);
  const service: Service = { id, addr, onLo: !node.host.fib.isLocal(addr), stop: stopServer };
  if (service.onLo) node.host.addAddress(node.host.lo, addr);
  node.services.set(key, service);
  return printed([`service ${id} listens on ${key} of ${node.def.name}`]);
}

function stop(node: SimHost, cmd: Command, proto: string) {
  const addr = num(cmd, "ip");
  const key = `${proto} ${formatIpv4(addr)}:${num(cmd, "port")}`;
  const service = node.services.get(key);
  if (service === undefined)
    throw new LabError("ERR_SERVICE_UNKNOWN", `nothing listens on ${key} of ${node.def.name}`, {
      hint: `Services there: ${[...node.services.keys()].join(", ") || "none"}.`,
    });
  service.stop();
  node.services.delete(key);
  // The address goes with the last service that needs it.
  const others = [...node.services.values()].filter((s) => s.addr === addr);
  if (service.onLo && others.length > 0) others[0].onLo = true;
  else if (service.onLo) node.host.removeAddress(node.host.lo, addr);
  return printed([`service ${service.id} stopped`]);
}

function endpointInUse(node: SimHost, proto: string, endpoint: string): LabError {
  return new LabError("ERR_ENDPOINT_IN_USE", `${proto} ${endpoint} is in use on ${node.def.name}`, {
    hint: "Choose another address or port, or stop the service there.",
  });
}
