/** Starting and stopping a service: clashes, and its address, which stands on `lo` as long as services need it. */
import { LabError } from "../../errors.ts";
import type { Command } from "../../scenario/command.ts";
import type { CommandResult } from "../../scenario/lab.ts";
import { formatIpv4 } from "../../wire/ipv4.ts";
import { num, str } from "./args.ts";
import { printed } from "./results.ts";

/** Something that listens; `onLo`: its address was put on lo for it. */
export interface Service {
  readonly id: string;
  readonly addr: number;
  onLo: boolean;
  stop(): void;
}

/** What services need of a host. */
export interface ServiceHost {
  readonly def: { readonly name: string };
  /** By `tcp 1.1.1.1:4000`. */
  readonly services: Map<string, Service>;
  isLocal(addr: number): boolean;
  addToLo(addr: number): void;
  removeFromLo(addr: number): void;
}

/** Makes it listen, and gives what stops it; may throw LabError. */
type Starter = (addr: number, port: number, id: string) => () => void;

export function startService(node: ServiceHost, cmd: Command, proto: string, starter: Starter): CommandResult {
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
  const service: Service = { id, addr, onLo: !node.isLocal(addr), stop: stopServer };
  if (service.onLo) node.addToLo(addr);
  node.services.set(key, service);
  return printed([`service ${id} listens on ${key} of ${node.def.name}`]);
}

export function stopService(node: ServiceHost, cmd: Command, proto: string): CommandResult {
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
  else if (service.onLo) node.removeFromLo(addr);
  return printed([`service ${service.id} stopped`]);
}

export function endpointInUse(node: ServiceHost, proto: string, endpoint: string): LabError {
  return new LabError("ERR_ENDPOINT_IN_USE", `${proto} ${endpoint} is in use on ${node.def.name}`, {
    hint: "Choose another address or port, or stop the service there.",
  });
}
