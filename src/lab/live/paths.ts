/**
 * Where a live lab is found: the lab that `guelab topo_setup` leaves running, which the commands that follow talk to.
 *
 *   /run/guelab/PREFIX.sock               its socket, for root
 *   /run/guelab/PREFIX.hosts/HOST/        a container's /run/guelab: the host's own socket, and through it the names
 *                                         pfc_*, port_* inside the container
 *   /run/guelab/PREFIX.bin/               the same names for a shell in a namespace
 *   /run/guelab/PREFIX.log                what its process had to say
 */
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

export const LIVE_DIR = "/run/guelab";

export const socketPath = (prefix: string): string => join(LIVE_DIR, `${prefix}.sock`);
export const logPath = (prefix: string): string => join(LIVE_DIR, `${prefix}.log`);
export const binDir = (prefix: string): string => join(LIVE_DIR, `${prefix}.bin`);
/** Mounted into the container of the host before anything listens there. */
export const hostDir = (prefix: string, host: string): string => join(LIVE_DIR, `${prefix}.hosts`, host);
export const HOST_SOCKET = "host.sock";

/** Prefixes whose socket is there; whether somebody listens is another matter. */
export function livePrefixes(): string[] {
  try {
    return readdirSync(LIVE_DIR)
      .filter((f) => f.endsWith(".sock"))
      .map((f) => f.slice(0, -".sock".length))
      .sort();
  } catch {
    return [];
  }
}

/** Makes a folder that only root may enter. */
export const privateDir = (path: string): void => void mkdirSync(path, { recursive: true, mode: 0o700 });

/** Removes what a live lab has in LIVE_DIR. */
export function removeLive(prefix: string): void {
  for (const path of [socketPath(prefix), logPath(prefix)]) rmSync(path, { force: true });
  for (const path of [binDir(prefix), join(LIVE_DIR, `${prefix}.hosts`)])
    rmSync(path, { recursive: true, force: true });
}
