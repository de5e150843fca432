/** A worker thread of `guelab run`: one scenario at a time. */
import { execute, type Job, type JobResult } from "./execute.ts";

export default (job: Job): Promise<JobResult> => execute(job);
