/** A worker thread of `guelab run`: one scenario at a time. */
import type { Job, JobResult } from "./execute.ts";
import { loadApp } from "./launch.ts";

const { app } = loadApp();

export default (job: Job): Promise<JobResult> => app.execute(job);
