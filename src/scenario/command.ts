/**
 * The command language's model: one line of a scenario, of the shell or of the command line, parsed and checked.
 * `commands.ts` holds the list of commands, `parse-command.ts` the one parser.
 */
import type { Position } from "../errors.ts";
import type { LinkProps } from "./topology.ts";

/**
 * How a parameter is read and checked, and what value it gives:
 *
 * | type | written | value |
 * | --- | --- | --- |
 * | host | a host of the topology | string |
 * | hosts | one or more hosts, in one quoted word or several words (takes all remaining words) | string[] |
 * | nic | an interface name | string |
 * | link | `HOST/NIC`, `HOST` (all its NICs) or `all` | string |
 * | link-change | `clear`, `up`, `down`, or pairs such as `loss 1% delay 5ms` (takes all remaining words) | LinkChange |
 * | ip | dotted quad; `0` is 0.0.0.0 | number, host order |
 * | endpoint | `IP:PORT` | EndpointArg |
 * | port, u16 | 0 to 65535 | number |
 * | u32, count | an integer | number |
 * | seconds | a number of seconds (`0.5`), or a duration with its unit | number, ns |
 * | duration | `200ms`, `5s`, `2m`, `1h` | number, ns |
 * | size | bytes; K, M and G are powers of 1024 | number, bytes |
 * | proto | `tcp`, `udp`, 6 or 17 | number |
 * | key | `base64:`, `hex:` or exactly 16 ASCII characters | Uint8Array of 16 bytes |
 * | rx-flags, tx-flags | a number, or names: `gue+dump` | number |
 * | url | `http://IP[:PORT][/PATH]`, the scheme may be left out | string, complete |
 * | hex | hex bytes | Uint8Array |
 * | word | anything | string |
 * | rest | all remaining words, options too | string[] |
 */
export type ParamType =
  | "host"
  | "hosts"
  | "nic"
  | "link"
  | "link-change"
  | "ip"
  | "endpoint"
  | "port"
  | "u16"
  | "u32"
  | "count"
  | "seconds"
  | "duration"
  | "size"
  | "proto"
  | "key"
  | "rx-flags"
  | "tx-flags"
  | "word"
  | "url"
  | "hex"
  | "rest";

export interface ParamSpec {
  /** Name in `Command.args`. */
  name: string;
  type: ParamType;
  /** One line of help. */
  doc: string;
  optional?: boolean;
  /** The only words accepted. */
  choices?: readonly string[];
  /** Smallest number accepted, in the value's unit. */
  min?: number;
}

/** A switch (no type: true when given) or an option with a value. Its key in `options` is its name in `Command.args`. */
export interface OptionSpec {
  /** Spellings: `["-X", "--request"]`. */
  flags: readonly string[];
  type?: ParamType;
  doc: string;
  required?: boolean;
  choices?: readonly string[];
  min?: number;
}

export interface CommandSpec {
  name: string;
  /** "host": runs inside a host, which stands in front (`egw pfc_list`); "lab": no host in front. */
  scope: "host" | "lab";
  params: readonly ParamSpec[];
  options?: Readonly<Record<string, OptionSpec>>;
  /** Names in CommandResult.data that scenarios may expect, with their meaning; besides these every command has output, fails, time. */
  results?: Readonly<Record<string, string>>;
  summary: string;
  /** A complete line, host included. */
  example: string;
  /** Name of the command that undoes it. */
  undo?: string;
}

/** Address and port, host order. */
export interface EndpointArg {
  ip: number;
  port: number;
}

/** What `link` does to a link: sets some properties, restores all, or cuts and restores the wire. */
export type LinkChange = { action: "set"; props: Partial<LinkProps> } | { action: "clear" | "up" | "down" };

/** A value by its type, as the table of ParamType says. */
export type ArgValue = number | string | boolean | Uint8Array | string[] | EndpointArg | LinkChange;

export interface Command {
  spec: CommandSpec;
  /** The host in front, for scope "host". */
  host?: string;
  /** By parameter and option name; what was left out is absent. */
  args: Record<string, ArgValue | undefined>;
  /** As it was written. */
  text: string;
  position?: Position;
}
