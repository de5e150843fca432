/**
 * The process behind a live lab: topo_setup starts it and leaves it running. It has the lab, and takes the commands that
 * follow on a Unix socket. It ends with topo_cleanup, or with a signal, and takes the lab along.
 */
import { Command } from "commander";
import { LabError, type Position } from "../errors.ts";
import { LiveServer } from "../lab/live/server.ts";
import { loadTopology } from "../scenario/load.ts";
import { formatTopology } from "../scenario/topology-format.ts";
import { openRealLab, type RealLabOptions } from "./open-lab.ts";

/** What the daemon tells topo_setup, once. */
export type DaemonReport =
  | { ok: true; output: string[] }
  | { ok: false; code: string; message: string; hint?: string; position?: Position };

/** Name of the hidden command; topo_setup gives it one argument, the job as JSON. */
export const DAEMON_COMMAND = "lab-daemon";

export interface DaemonJob extends RealLabOptions {
  config: string;
}

export function liveDaemonCommand(): Command {
  return new Command(DAEMON_COMMAND)
    .description("the process behind topo_setup")
    .argument("<job>", "as topo_setup gives it")
    .action((job: string) => serve(JSON.parse(job)));
}

async function serve(job: DaemonJob): Promise<void> {
  const tell = (report: DaemonReport): void => {
    process.send?.(report);
    process.disconnect?.();
  };
  try {
    const lab = await openRealLab(loadTopology(job.config), job);
    const server = new LiveServer(lab, () => {
      server.close();
      process.exit(0);
    });
    process.once("exit", () => server.close());
    try {
      await server.open();
    } catch (err) {
      await lab.close();
      throw err;
    }
    tell({ ok: true, output: formatTopology(lab.topology) });
  } catch (err) {
    if (!(err instanceof LabError)) throw err;
    const { code, message, hint, position } = err;
    tell({ ok: false, code, message, hint, position });
    process.exitCode = 2;
  }
}
