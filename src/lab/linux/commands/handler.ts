/** What a command's handler is, and what handlers share. */
import type { Command } from "../../../scenario/command.ts";
import type { CommandResult } from "../../../scenario/lab.ts";
import type { LinuxLab } from "../lab.ts";
import type { LinuxHost } from "../world.ts";

/** Throws LabError when the command is refused. */
export type Handler = (lab: LinuxLab, cmd: Command) => CommandResult | Promise<CommandResult>;
export type Handlers = Record<string, Handler>;

/** The host in front of a command. */
export const hostOf = (lab: LinuxLab, cmd: Command): LinuxHost => lab.host(cmd.host ?? "");
