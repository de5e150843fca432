/** Scenarios and topologies from files. The one file of this folder that uses node: modules. */
import { closeSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { LabError, type Position } from "../errors.ts";
import { loadCfgTopology } from "./cfg.ts";
import type { Scenario } from "./scenario.ts";
import { readScenario } from "./scenario-yaml.ts";
import type { Topology } from "./topology.ts";
import { MAX_YAML_CHARS } from "./yaml-source.ts";

/** The topologies that come with guelab; two levels up in the source tree and in the package alike. */
const BUNDLED = fileURLToPath(new URL("../../scenarios/topologies/", import.meta.url));

/**
 * A text file's content. Throws LabError: ERR_FILE_NOT_FOUND, ERR_FILE_IS_DIRECTORY, ERR_FILE_TOO_LARGE,
 * ERR_FILE_NOT_TEXT, ERR_FILE_UNREADABLE. `position` is where the file is named, if somewhere.
 */
export function readTextFile(path: string, position?: Position, maxBytes: number = MAX_YAML_CHARS): string {
  const fail = (code: string, message: string, hint: string, cause?: unknown): never => {
    throw new LabError(code, message, { position, hint, cause });
  };
  let bytes: Uint8Array = new Uint8Array();
  try {
    const info = statSync(path);
    if (info.isDirectory()) fail("ERR_FILE_IS_DIRECTORY", `${path} is a directory`, "Name a file in it.");
    if (info.size > maxBytes)
      fail("ERR_FILE_TOO_LARGE", `${path} has ${info.size} bytes`, `At most ${maxBytes} are read.`);
    bytes = info.isFile() ? readFileSync(path) : readStream(path, maxBytes + 1);
    if (bytes.length > maxBytes)
      fail("ERR_FILE_TOO_LARGE", `${path} has more than ${maxBytes} bytes`, "It is no file of the lab's.");
  } catch (err) {
    if (err instanceof LabError) throw err;
    const code = (err as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR")
      fail("ERR_FILE_NOT_FOUND", `there is no file ${path}`, "Check the path.", err);
    fail("ERR_FILE_UNREADABLE", `${path} cannot be read (${code})`, "Check its permissions.", err);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (err) {
    return fail("ERR_FILE_NOT_TEXT", `${path} is not UTF-8 text`, "Save it as UTF-8.", err);
  }
}

/** What a pipe or a device gives, at most so many bytes: /dev/zero never ends. */
function readStream(path: string, maxBytes: number): Uint8Array {
  const bytes = new Uint8Array(maxBytes);
  const fd = openSync(path, "r");
  try {
    let end = 0;
    for (let n = -1; n !== 0 && end < maxBytes; end += n) n = readSync(fd, bytes, end, maxBytes - end, null);
    return bytes.subarray(0, end);
  } finally {
    closeSync(fd);
  }
}

/**
 * The path of a topology file: relative to `base` (the folder of who names it), else one of those that come with guelab, by
 * name. Throws LabError.
 */
function findTopology(name: string, base: string, position?: Position): string {
  if (name.trim() === "")
    throw new LabError("ERR_FILE_NOT_FOUND", "the topology's name is empty", {
      position,
      hint: "For example: basic.cfg",
    });
  const first = isAbsolute(name) ? name : join(base, name);
  const tried = [first];
  if (!isAbsolute(name) && !name.includes("/")) tried.push(join(BUNDLED, name));
  const found = tried.find((path) => exists(path));
  if (found === undefined)
    throw new LabError("ERR_FILE_NOT_FOUND", `there is no topology file ${first}`, {
      position,
      hint: "A topology is a .cfg file next to the scenario, or one that comes with guelab: basic.cfg, 2gw.cfg.",
    });
  if (!/\.cfg$/i.test(found))
    throw new LabError("ERR_TOPOLOGY_FORMAT", `${found} is not a .cfg file`, {
      position,
      hint: "A topology written in YAML stands in the scenario itself, under topology.",
    });
  return found;
}

/** The topology of a file, which is looked for beside who names it (`base`) and among those of guelab. Throws LabError. */
export function loadTopology(name: string, base = ".", position?: Position): Topology {
  const found = findTopology(name, base, position);
  // Errors name a bundled file as the user would find it from here.
  const path = found.startsWith(BUNDLED) ? shortest(found) : found;
  return loadCfgTopology(path, (file) => readTextFile(file, file === path ? position : undefined));
}

/** Reads and checks a scenario file. Throws LabError. */
export function loadScenario(path: string): Scenario {
  return readScenario(readTextFile(path), {
    file: path,
    loadTopology: (name, position) => loadTopology(name, dirname(path), position),
  });
}

/** A scenario and the topology files that it needs, for a place without files. */
export interface ScenarioFiles {
  /** Path as given. */
  file: string;
  text: string;
  /** Text of each .cfg file by the name that the scenario gives; of an included one, by its path from there. */
  topologies: Record<string, string>;
}

/**
 * Reads a scenario's text and its topology files. A mistake in them is in `error`, and what was read until then stands; a
 * scenario that cannot be read throws LabError.
 */
export function loadScenarioFiles(path: string): { files: ScenarioFiles; error?: LabError } {
  const files: ScenarioFiles = { file: path, text: readTextFile(path), topologies: {} };
  const base = dirname(path);
  const collect = (name: string, position: Position): Topology => {
    const root = findTopology(name, base, position).startsWith(BUNDLED) ? BUNDLED : base;
    const read = (key: string): string =>
      (files.topologies[key] = readTextFile(isAbsolute(key) ? key : join(root, key), position));
    return loadCfgTopology(name, read);
  };
  try {
    readScenario(files.text, { file: path, loadTopology: collect });
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    return { files, error };
  }
  return { files };
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function shortest(path: string): string {
  const rel = relative(process.cwd(), path);
  return rel.length < path.length ? rel : path;
}
