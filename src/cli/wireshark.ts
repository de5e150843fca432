/**
 * `guelab wireshark`: puts the dissector wireshark/gue_ti.lua where Wireshark and tshark look for it, and takes it away.
 * The folder is the user's own (Wireshark User's Guide, appendix B.4): the one that tshark names, else the usual one.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { LabError } from "../errors.ts";
import { writeWhole } from "./write.ts";

const FILE = "gue_ti.lua";
/** In this package; src/cli and dist/bin lie equally deep. */
export const DISSECTOR = fileURLToPath(new URL(`../../wireshark/${FILE}`, import.meta.url));
/** How every version of the dissector names itself in its head. */
const MARK = "-- Part of guelab;";

const DIR = ["--dir <dir>", "Lua plugin folder (default: the one that tshark names, else the user's own)"] as const;

export function wiresharkCommand(): Command {
  const wireshark = new Command("wireshark").description("install or remove the dissector for Wireshark and tshark");
  wireshark
    .command("install")
    .description("copy the dissector into the user's plugin folder; an older one is replaced")
    .option(...DIR)
    .action((options: { dir?: string }) => print(install(folder(options.dir))));
  wireshark
    .command("remove")
    .description("remove the dissector from the user's plugin folder")
    .option(...DIR)
    .action((options: { dir?: string }) => print(remove(folder(options.dir))));
  return wireshark;
}

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/**
 * Copies the dissector into a folder, made if need be; says what was done. Throws LabError ERR_FILE_EXISTS where a file of
 * that name is not guelab's, ERR_FILE_UNREADABLE, ERR_FILE_UNWRITABLE, ERR_FILE_IS_DIRECTORY.
 */
export function install(dir: string): string {
  const path = join(dir, FILE);
  const text = readFileSync(DISSECTOR, "utf8");
  const there = ours(path);
  if (there !== text) writeWhole(path, text);
  const done = there === undefined ? "installed" : there === text ? "already there:" : "replaced";
  return `${done} ${path}\nWireshark and tshark load it when they start. To undo: guelab wireshark remove, or delete the file.`;
}

/** Removes the dissector from a folder; says what was done. Throws as `install` does. */
export function remove(dir: string): string {
  const path = join(dir, FILE);
  if (ours(path) === undefined) return `nothing to remove: there is no ${path}`;
  try {
    rmSync(path);
  } catch (cause) {
    throw new LabError("ERR_FILE_UNWRITABLE", `${path} cannot be removed (${(cause as NodeJS.ErrnoException).code})`, {
      hint: "Check the folder's permissions.",
      cause,
    });
  }
  return `removed ${path}`;
}

/** The text of the dissector that is there; undefined when there is none. */
function ours(path: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    if (code === "EISDIR" || code === "ENOTDIR")
      throw new LabError("ERR_FILE_IS_DIRECTORY", `${path} cannot be a file (${code})`, {
        hint: "Name a plugin folder with --dir.",
        cause,
      });
    throw new LabError("ERR_FILE_UNREADABLE", `${path} cannot be read (${code})`, {
      hint: "Check its permissions.",
      cause,
    });
  }
  if (text.includes(MARK)) return text;
  throw new LabError("ERR_FILE_EXISTS", `${path} is not guelab's`, {
    hint: "Move it away, or name another folder with --dir.",
  });
}

function folder(dir: string | undefined): string {
  if (dir === "") throw new LabError("ERR_BAD_ARGUMENT", "--dir names no folder", { hint: "Name a plugin folder." });
  if (dir !== undefined) return resolve(dir);
  const r = spawnSync("tshark", ["-G", "folders"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return pluginFolder(r.status === 0 ? r.stdout : "");
}

/** The user's Lua plugin folder: from what `tshark -G folders` prints, else by the system. */
export function pluginFolder(folders: string, platform = process.platform, env = process.env): string {
  const named = /^Personal Lua Plugins:\s*(\S.*?)\s*$/m.exec(folders);
  if (named) return named[1];
  if (platform === "win32") return join(env.APPDATA ?? join(homedir(), "AppData", "Roaming"), "Wireshark", "plugins");
  return join(homedir(), ".local", "lib", "wireshark", "plugins");
}
