/** A command's side of a live lab: finds it, and asks it. */
import { request } from "node:http";
import { LabError } from "../../errors.ts";
import { livePrefixes, socketPath } from "./paths.ts";
import { EXIT_HEADER, type LiveAnswer, type LiveStatus, packWords } from "./protocol.ts";

/** Runs one command in the lab. Throws LabError ERR_LAB_DOWN. */
export const sendCommand = (prefix: string, words: readonly string[]): Promise<LiveAnswer> =>
  ask(prefix, "POST", "/command", packWords(words));

/** What is up. Throws LabError ERR_LAB_DOWN. */
export async function statusOf(prefix: string): Promise<LiveStatus> {
  return JSON.parse((await ask(prefix, "GET", "/")).text);
}

/** The lab that is meant: the one that is named, or the only one. Throws LabError ERR_LAB_DOWN, ERR_LAB_AMBIGUOUS. */
export async function findLab(named: string | undefined): Promise<LiveStatus> {
  if (named !== undefined) return statusOf(named);
  const up: LiveStatus[] = [];
  for (const prefix of livePrefixes()) {
    try {
      up.push(await statusOf(prefix));
    } catch (err) {
      if (!(err instanceof LabError)) throw err;
    }
  }
  if (up.length === 1) return up[0];
  if (up.length === 0) throw down("no lab is up");
  throw new LabError("ERR_LAB_AMBIGUOUS", `${up.length} labs are up: ${up.map((s) => s.prefix).join(", ")}`, {
    hint: "Say which one: --prefix NAME, or GUELAB_PREFIX=NAME in the environment.",
  });
}

const down = (what: string): LabError =>
  new LabError("ERR_LAB_DOWN", what, { hint: "Bring one up: sudo guelab topo_setup basic.cfg" });

function ask(prefix: string, method: string, path: string, body?: string): Promise<LiveAnswer> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: socketPath(prefix), method, path }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", () => reject(down(`the lab '${prefix}' ended before it answered`)));
      response.on("end", () => {
        const exit = Number(response.headers[EXIT_HEADER] ?? 2);
        resolve({ exit, text: Buffer.concat(parts).toString() });
      });
    });
    call.on("error", (err: NodeJS.ErrnoException) => reject(refusal(prefix, err)));
    call.end(body);
  });
}

function refusal(prefix: string, err: NodeJS.ErrnoException): LabError {
  if (err.code === "EACCES" || err.code === "EPERM")
    return new LabError("ERR_NO_ROOT", `the lab '${prefix}' belongs to root`, {
      hint: "Run it with sudo.",
      cause: err,
    });
  if (err.code === "ECONNRESET") return down(`the lab '${prefix}' ended before it answered`);
  return down(`no lab '${prefix}' is up`);
}
