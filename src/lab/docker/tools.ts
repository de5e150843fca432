/** Tools that take their time, one after the other: what they print is handed on, and they end with this process. */
import { type ChildProcess, spawn } from "node:child_process";
import { LabError } from "../../errors.ts";

/** What the tools print on their way. */
export type Progress = (text: string) => void;

/** Runs one tool to its end. Throws LabError ERR_NO_PROGRAM, ERR_NO_DOCKER, ERR_IMAGE_BUILD with `hint`, ERR_INTERRUPTED. */
export type Start = (program: string, args: readonly string[], hint?: string) => Promise<void>;

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** Lines of what a tool said that go into an error. */
const LAST = 5;

/** Calls `work`; when this process is told to end, the tool that runs is ended, and `work` gets ERR_INTERRUPTED. */
export async function withTools(progress: Progress, work: (start: Start) => Promise<void>): Promise<void> {
  let child: ChildProcess | undefined;
  const onSignal = (): void => {
    if (child?.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    await work((program, args, hint) => {
      // In a group of its own, so that its children can be ended with it.
      child = spawn(program, args, { detached: true, stdio: ["ignore", "pipe", "pipe"], env: toolEnv() });
      return finished(child, program, args, progress, hint);
    });
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

const toolEnv = (): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin`,
  LC_ALL: "C",
});

function finished(
  child: ChildProcess,
  program: string,
  args: readonly string[],
  progress: Progress,
  hint?: string,
): Promise<void> {
  const last: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => {
      progress(text);
      last.push(...text.split("\n").filter((l) => l.trim() !== ""));
      last.splice(0, last.length - LAST);
    });
  return new Promise((resolve, reject) => {
    child.on("error", (cause) => reject(notInstalled(program, cause)));
    child.on("close", (status, signal) => {
      const said = last.join("\n  ");
      const missing = /failed to execute (\S+): No such file/.exec(said)?.[1];
      if (status === 0) resolve();
      else if (signal !== null)
        reject(new LabError("ERR_INTERRUPTED", `${program} was ended by ${signal}; no image was made`));
      else if (missing !== undefined) reject(notInstalled(missing));
      else reject(new LabError("ERR_IMAGE_BUILD", `${program} ${args[0]} failed: ${said}`, { hint }));
    });
  });
}

function notInstalled(program: string, cause?: Error): LabError {
  const [code, pkg] = program === "docker" ? ["ERR_NO_DOCKER", "docker.io"] : ["ERR_NO_PROGRAM", program];
  return new LabError(code, `${program} is not installed or cannot be run`, {
    hint: `On Debian and Ubuntu: apt-get install ${pkg}`,
    cause,
  });
}
