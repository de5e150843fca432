/** Files that commands write: whole or not at all, and looked at before a long run has its result. */
import { accessSync, constants, mkdirSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { threadId } from "node:worker_threads";
import { LabError } from "../errors.ts";

/**
 * Writes a file all at once: what was there before stays until the new one is complete. What is no regular file
 * (/dev/stdout, a named pipe) is written to, never replaced. Throws ERR_FILE_UNWRITABLE, ERR_FILE_IS_DIRECTORY.
 */
export function writeWhole(path: string, content: Uint8Array | string): void {
  writing(path, (target) => {
    if (target === undefined) {
      writeFileSync(path, content);
      return;
    }
    makeFolder(dirname(target));
    const part = partOf(target);
    try {
      writeFileSync(part, content);
      renameSync(part, target);
    } finally {
      rmSync(part, { force: true });
    }
  });
}

/** Throws now what `writeWhole` would throw later; leaves nothing behind. */
export function checkWritable(path: string): void {
  writing(path, (target) => {
    // A named pipe would wait for its reader.
    if (target === undefined) {
      accessSync(path, constants.W_OK);
      return;
    }
    let folder = dirname(target);
    while (statSync(folder, { throwIfNoEntry: false }) === undefined) folder = dirname(folder);
    const part = join(folder, basename(partOf(target)));
    writeFileSync(part, "");
    rmSync(part);
  });
}

/** `target` is the path that a link leads to; undefined for what is no regular file. */
function writing(path: string, write: (target: string | undefined) => void): void {
  try {
    const info = statSync(path, { throwIfNoEntry: false });
    if (info?.isDirectory())
      throw new LabError("ERR_FILE_IS_DIRECTORY", `${path} is a directory`, { hint: "Name a file in it." });
    if (info === undefined) write(path);
    else write(info.isFile() ? realpathSync(path) : undefined);
  } catch (err) {
    if (err instanceof LabError) throw err;
    throw new LabError("ERR_FILE_UNWRITABLE", `${path} cannot be written (${(err as NodeJS.ErrnoException).code})`, {
      hint: "Check the path and its permissions.",
      cause: err,
    });
  }
}

const partOf = (target: string): string => `${target}.${process.pid}.${threadId}.part`;

/** mkdir -p. Node's own never returns where a folder refuses new entries with ENOENT, as /proc does. */
function makeFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (err) {
    // Another worker was faster.
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw err;
  }
}
