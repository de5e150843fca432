/** What a command's handler is, and what handlers share. */
import type { Command } from "../../../scenario/command.ts";
import type { CommandResult } from "../../../scenario/lab.ts";
import type { SimLab } from "../lab.ts";
import type { Task } from "../task.ts";
import type { SimHost } from "../world.ts";

/** Ends at once, or gives a task that ends in virtual time. Throws LabError when the command is refused. */
export type Handler = (lab: SimLab, cmd: Command) => CommandResult | Task<CommandResult>;
export type Handlers = Record<string, Handler>;

/** The host in front of a command. */
export const hostOf = (lab: SimLab, cmd: Command): SimHost => lab.host(cmd.host ?? "");
