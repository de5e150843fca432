/** pfc_* and port_*: the control plane of the host in front, the same in every lab. */
import type { ControlPlane, Endpoint } from "../../control/control.ts";
import type { Command } from "../../scenario/command.ts";
import type { CommandResult } from "../../scenario/lab.ts";
import { formatTables } from "../../scenario/table-print.ts";
import type { HostDef } from "../../scenario/topology.ts";
import { formatPorts } from "../../scenario/until.ts";
import type { TableStores } from "../../tables/tables.ts";
import { formatFlags } from "../../tables/text.ts";
import { gueDefaultTunnelId } from "../../wire/gue.ts";
import { formatIpv4 } from "../../wire/ipv4.ts";
import { bytes, flag, num, optNum, str } from "./args.ts";
import { printed } from "./results.ts";

/** What the commands need of a host. */
export interface PfcHost {
  readonly def: HostDef;
  readonly control: ControlPlane;
  readonly tables: TableStores;
}

/** The handlers, by command name; `hostOf` finds the host in front. */
export const pfcCommands = <L>(
  hostOf: (lab: L, cmd: Command) => PfcHost,
): Record<string, (lab: L, cmd: Command) => CommandResult> => ({
  pfc_start(lab, cmd) {
    hostOf(lab, cmd).control.start({
      nic: str(cmd, "nic"),
      name: str(cmd, "name"),
      rx: num(cmd, "rx"),
      tx: num(cmd, "tx"),
      portMin: num(cmd, "portMin"),
      portMax: num(cmd, "portMax"),
      pingNs: optNum(cmd, "ping"),
      sweepNs: optNum(cmd, "sweep"),
      sweepCount: optNum(cmd, "sweepCount"),
    });
    return printed([`${str(cmd, "name")}: attached to ${str(cmd, "nic")}`]);
  },

  pfc_flags(lab, cmd) {
    const rx = num(cmd, "rx");
    const tx = num(cmd, "tx");
    hostOf(lab, cmd).control.setFlags(str(cmd, "nic"), rx, tx);
    return printed([`${str(cmd, "nic")}: ingress ${formatFlags("rx", rx)}, egress ${formatFlags("tx", tx)}`]);
  },

  pfc_stop(lab, cmd) {
    hostOf(lab, cmd).control.stop(str(cmd, "nic"));
    return printed([`detached from ${str(cmd, "nic")}`]);
  },

  pfc_add(lab, cmd) {
    const proto = num(cmd, "proto");
    const end = (what: string): Endpoint => ({ ip: num(cmd, `${what}Ip`), port: num(cmd, `${what}Port`), proto });
    const { control, def } = hostOf(lab, cmd);
    const group = num(cmd, "group");
    const service = num(cmd, "service");
    const nic = str(cmd, "nic");
    const port = control.add({
      nic,
      group,
      service,
      key: bytes(cmd, "key"),
      remoteIp: num(cmd, "remoteIp"),
      remotePort: num(cmd, "remotePort"),
      proxy: end("proxy"),
      backend: end("backend"),
      ping: flag(cmd, "ping"),
    });
    const tunnel = gueDefaultTunnelId(group, service);
    return printed([`tunnel ${tunnel} on ${formatIpv4(def.nics.find((n) => n.name === nic)?.addr ?? 0)}:${port}`], {
      port,
      tunnel,
    });
  },

  pfc_delete(lab, cmd) {
    hostOf(lab, cmd).control.delete(num(cmd, "group"), num(cmd, "service"));
    return printed([`service ${num(cmd, "group")}/${num(cmd, "service")} removed`]);
  },

  pfc_list: (lab, cmd) => printed(formatTables(hostOf(lab, cmd).tables)),

  port_init(lab, cmd) {
    hostOf(lab, cmd).control.pool.init(num(cmd, "min"), num(cmd, "max"));
    return printed([]);
  },

  port_alloc(lab, cmd) {
    const port = hostOf(lab, cmd).control.pool.alloc();
    return printed([String(port)], { port });
  },

  port_free(lab, cmd) {
    hostOf(lab, cmd).control.freePort(num(cmd, "port"));
    return printed([]);
  },

  port_list(lab, cmd) {
    const { pool } = hostOf(lab, cmd).control;
    const output = [`free: ${formatPorts(pool.list())}`, `allocated: ${formatPorts(pool.allocated())}`];
    return printed(output, { ports: pool.list() });
  },
});
