/** What the command line's bundle gives to those who load it (launch.ts): each part is initialised when it is first used. */
import type { Job, JobResult } from "./execute.ts";

/** Runs the command line and returns the exit code. */
export async function main(argv: string[]): Promise<number> {
  return (await import("./main.ts")).main(argv);
}

/** Runs one scenario, in a worker thread. */
export async function execute(job: Job): Promise<JobResult> {
  return (await import("./execute.ts")).execute(job);
}
