/** What a command's handler is, and what handlers share. */
import type { Command } from "../../../scenario/command.ts";
import type { CommandResult } from "../../../scenario/lab.ts";
import type { NetnsLab } from "../lab.ts";
import type { NetnsHost } from "../world.ts";

/** Throws LabError when the command is refused. */
export type Handler = (lab: NetnsLab, cmd: Command) => CommandResult | Promise<CommandResult>;
export type Handlers = Record<string, Handler>;

/** The host in front of a command. */
export const hostOf = (lab: NetnsLab, cmd: Command): NetnsHost => lab.host(cmd.host ?? "");
