/**
 * The command language's model: one line of a scenario, of the shell or of the command line, parsed and checked.
 * `commands.ts` holds the list of commands, `parse-command.ts` the one parser.
 */
import type { Position } from "../errors.ts";

/** How a parameter is read and checked. `rest` takes all remaining words. */
export type ParamType =
  | "host"
  | "nic"
  | "ip"
  | "port"
  | "u16"
  | "u32"
  | "count"
  | "seconds"
  | "duration"
  | "size"
  | "proto"
  | "key"
  | "flags"
  | "word"
  | "url"
  | "hex"
  | "rest";

export interface ParamSpec {
  name: string;
  type: ParamType;
  /** One line of help. */
  doc: string;
  optional?: boolean;
}

export interface CommandSpec {
  name: string;
  /** "host": runs inside a host, which stands in front (`egw pfc_list`); "lab": no host in front. */
  scope: "host" | "lab";
  params: ParamSpec[];
  /** `-p`-like switches, and `--name value` options with a type. */
  options?: Record<string, { type?: ParamType; doc: string }>;
  summary: string;
  example: string;
  /** Name of the command that undoes it. */
  undo?: string;
}

/** A value by its type: addresses and numbers as numbers (host order), keys as 16 bytes, durations as ns, sizes as bytes. */
export type ArgValue = number | string | Uint8Array | string[] | boolean;

export interface Command {
  spec: CommandSpec;
  /** The host in front, for scope "host". */
  host?: string;
  args: Record<string, ArgValue | undefined>;
  /** As it was written. */
  text: string;
  position?: Position;
}
