/** A command's arguments by type; the parser has checked them, so a missing one is a defect of the command's handler. */
import type { Command, EndpointArg } from "../../scenario/command.ts";

function typed<T>(cmd: Command, name: string, type: string): T | undefined {
  const value = cmd.args[name];
  if (value !== undefined && typeof value !== type) throw new TypeError(`${cmd.spec.name}: ${name} is no ${type}`);
  return value as T | undefined;
}
function given<T>(cmd: Command, name: string, value: T | undefined): T {
  if (value === undefined) throw new TypeError(`${cmd.spec.name}: ${name} is missing`);
  return value;
}

export const num = (cmd: Command, name: string): number => given(cmd, name, optNum(cmd, name));
export const optNum = (cmd: Command, name: string): number | undefined => typed(cmd, name, "number");
export const str = (cmd: Command, name: string): string => given(cmd, name, optStr(cmd, name));
export const optStr = (cmd: Command, name: string): string | undefined => typed(cmd, name, "string");
export const flag = (cmd: Command, name: string): boolean => cmd.args[name] === true;
export const optBytes = (cmd: Command, name: string): Uint8Array | undefined => typed(cmd, name, "object");
export const bytes = (cmd: Command, name: string): Uint8Array => given(cmd, name, optBytes(cmd, name));
export const words = (cmd: Command, name: string): string[] => (cmd.args[name] as string[] | undefined) ?? [];
export const optEndpoint = (cmd: Command, name: string): EndpointArg | undefined => typed(cmd, name, "object");
export const endpoint = (cmd: Command, name: string): EndpointArg => given(cmd, name, optEndpoint(cmd, name));
