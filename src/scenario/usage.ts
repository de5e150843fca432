/** How help, error messages and the reference pages write a command and its parameters. */
import type { CommandSpec, ParamSpec } from "./command.ts";

/** `<remote-ip>`, `<ping-s>`: a parameter as usage lines and help write it. */
export function paramName(param: ParamSpec): string {
  const name = param.name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
  return param.choices?.join("|") ?? `<${name}${param.type === "seconds" ? "-s" : ""}>`;
}

/** `pfc_add [-p] <nic> <group> ...`, host placeholder included. */
export function usage(spec: CommandSpec): string {
  const words = [spec.scope === "host" ? `<host> ${spec.name}` : spec.name];
  for (const option of Object.values(spec.options ?? {})) {
    const word = `${option.flags[0]}${option.type ? ` <${option.choices?.join("|") ?? option.type}>` : ""}`;
    words.push(option.required ? word : `[${word}]`);
  }
  for (const param of spec.params) {
    const many = param.type === "rest" || param.type === "hosts" || param.type === "link-change";
    const word = `${paramName(param)}${many ? "..." : ""}`;
    words.push(param.optional ? `[${word}]` : word);
  }
  return words.join(" ");
}
