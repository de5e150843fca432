/** Programs inside a host of a live lab, with this terminal: in its namespace, or in its container. */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { binDir, privateDir } from "../lab/live/paths.ts";
import type { LiveHost, LiveStatus } from "../lab/live/protocol.ts";
import { COMMANDS } from "../scenario/commands.ts";

/** Gives the program's exit code, 127 when there is no such program. */
export function runInHost(
  lab: LiveStatus,
  host: LiveHost,
  words: readonly string[],
  { shell = false }: { shell?: boolean },
): Promise<number> {
  const [program, args, env] = host.container === undefined ? inNamespace(lab, host, words) : inContainer(host, words);
  const prompt = shell ? { PS1: `${host.name}# ` } : {};
  return new Promise((resolve, reject) => {
    // Ctrl-C is for the program: it says its last words, and we give its code.
    const ignore = (): void => {};
    process.on("SIGINT", ignore);
    const child = spawn(program, args, { stdio: "inherit", env: { ...process.env, ...env, ...prompt } });
    child.once("error", reject);
    child.once("close", (code, signal) => {
      process.off("SIGINT", ignore);
      resolve(code ?? (signal === "SIGINT" ? 130 : 128));
    });
  });
}

/** Is the program there? A container has those of its image. */
export const hasProgram = (host: LiveHost, program: string): boolean =>
  host.container !== undefined || machinePath().some((dir) => existsSync(join(dir, program)));

const machinePath = (): string[] => [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];

type Call = [program: string, args: string[], env: Record<string, string>];

function inNamespace(lab: LiveStatus, host: LiveHost, words: readonly string[]): Call {
  const dir = namesOnPath(lab.prefix);
  const env = {
    PATH: [dir, ...machinePath()].join(delimiter),
    GUELAB_NODE: process.execPath,
    GUELAB_PROGRAM: process.argv[1],
    GUELAB_PREFIX: lab.prefix,
    GUELAB_HOST: host.name,
  };
  // env(1) says 127 for a program that is not there, as a shell does; nsenter's own code would be 1.
  return ["nsenter", [`--net=${host.netns}`, "--", "env", ...words], env];
}

function inContainer(host: LiveHost, words: readonly string[]): Call {
  const terminal = process.stdin.isTTY && process.stdout.isTTY ? ["-it"] : ["-i"];
  return ["docker", ["exec", ...terminal, host.container as string, ...words], {}];
}

/** A folder with the demo's names, for a shell in a namespace; made when it is first needed. */
function namesOnPath(prefix: string): string {
  const dir = binDir(prefix);
  if (existsSync(dir)) return dir;
  privateDir(dir);
  const script = join(dir, "guelab-host");
  const lines = [
    "#!/bin/sh",
    "# Runs one of the demo's commands on the host whose shell this is.",
    'exec "$GUELAB_NODE" "$GUELAB_PROGRAM" exec "$GUELAB_HOST" "$(basename "$0" .sh)" "$@"',
  ];
  writeFileSync(script, `${lines.join("\n")}\n`);
  chmodSync(script, 0o755);
  for (const { name, scope } of COMMANDS)
    if (scope === "host" && /^(pfc|port|udp|send)/.test(name))
      for (const link of [name, `${name}.sh`]) symlinkSync("guelab-host", join(dir, link));
  return dir;
}
