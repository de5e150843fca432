/** `guelab run --step FILE`: records a scenario and walks through it, at the terminal or by lines from a pipe. */
import { createInterface } from "node:readline";
import { setImmediate } from "node:timers/promises";
import { LabError } from "../errors.ts";
import { recordScenario } from "../replay/record.ts";
import { paintFor } from "../report/paint.ts";
import { loadScenarioFiles } from "../scenario/load.ts";
import { checkInput, type ShellStreams } from "./shell.ts";
import { StepSession } from "./step-session.ts";

export interface StepOptions {
  seed?: number;
}

/** Walks through one scenario; the exit code is the run's: 0 all expectations held, 1 one did not. Throws LabError. */
export async function stepThrough(file: string, options: StepOptions, streams?: ShellStreams): Promise<number> {
  if (streams === undefined) checkInput(0);
  const { input, output } = streams ?? { input: process.stdin, output: process.stdout };
  const { files, error } = loadScenarioFiles(file);
  if (error) throw error;
  const recording = await recordScenario(
    { kind: "scenario", ...files, seed: options.seed },
    { clock: () => performance.now(), pause: () => setImmediate() },
  );
  const session = new StepSession(recording, (line) => output.write(`${line}\n`), paintFor(output));
  session.greet();
  const tty = input.isTTY === true;
  const rl = createInterface({
    input,
    ...(tty ? { output, prompt: "step> " } : { crlfDelay: Number.POSITIVE_INFINITY }),
  });
  let lines = 0;
  if (tty) rl.prompt();
  for await (const line of rl) {
    lines++;
    if (!tty) output.write(`step> ${line}\n`);
    if (!session.execute(line)) break;
    if (tty) rl.prompt();
  }
  rl.close();
  if (lines === 0 && !tty)
    throw new LabError("ERR_STEP_INPUT", "there is nothing to read commands from", {
      hint: "Run it at a terminal, or give the commands by a pipe: printf '\\n\\nd\\n' | guelab run --step FILE",
    });
  return recording.report?.status === "failed" ? 1 : 0;
}
