/** gue_ping and gue_ping_stop: a plain UDP packet at an interval, to keep a NAT mapping open; the same in every lab. */
import { LabError } from "../../errors.ts";
import type { Command } from "../../scenario/command.ts";
import type { CommandResult } from "../../scenario/lab.ts";
import { formatIpv4 } from "../../wire/ipv4.ts";
import { num, str } from "./args.ts";
import { printed } from "./results.ts";

/** What the commands need of a host; addresses host order. */
export interface GuePingHost {
  readonly name: string;
  /** Senders by service id: call to stop. */
  readonly guePings: Map<number, () => void>;
  /** The host's own address towards another. */
  sourceFor(daddr: number): number;
  sendUdp(saddr: number, sport: number, daddr: number, dport: number, payload: Uint8Array): void;
  every(intervalNs: number, fn: () => void): () => void;
}

/** The handlers, by command name; `hostOf` finds a host by name. */
export const guePingCommands = <L>(
  hostOf: (lab: L, name: string) => GuePingHost,
): Record<string, (lab: L, cmd: Command) => CommandResult> => ({
  gue_ping(lab, cmd) {
    const host = hostOf(lab, str(cmd, "node"));
    const service = num(cmd, "service");
    if (host.guePings.has(service))
      throw new LabError("ERR_ALREADY_STARTED", `gue_ping of service ${service} runs on ${host.name} already`, {
        hint: `Run gue_ping_stop ${host.name} ${service} first.`,
      });
    const daddr = num(cmd, "remoteIp");
    const [sport, dport] = [num(cmd, "localPort"), num(cmd, "remotePort")];
    const payload = new TextEncoder().encode(`service ${service}`);
    const send = (): void => host.sendUdp(host.sourceFor(daddr), sport, daddr, dport, payload);
    send();
    host.guePings.set(service, host.every(num(cmd, "delay"), send));
    return printed([`UDP from port ${sport} to ${formatIpv4(daddr)}:${dport}`]);
  },

  gue_ping_stop(lab, cmd) {
    const host = hostOf(lab, str(cmd, "node"));
    const service = num(cmd, "service");
    const stop = host.guePings.get(service);
    if (stop === undefined) throw nothingOf(host.name, service, host.guePings);
    stop();
    host.guePings.delete(service);
    return printed(["stopped"]);
  },
});

/** Nothing of that service runs there. */
export function nothingOf(host: string, service: number, known: Map<number, unknown>): LabError {
  return new LabError("ERR_SERVICE_UNKNOWN", `${host} has nothing of service ${service}`, {
    hint: `Known: ${[...known.keys()].join(", ") || "none"}.`,
  });
}
