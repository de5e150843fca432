/** The command line as a program of its own, bundled for the tests that must start, kill or confine it. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { tryRun } from "../../src/ebpf/exec.ts";

const ROOT = join(import.meta.dirname, "..", "..");

export interface CliResult {
  status: number;
  stdout: string;
  stderr: string;
}

export class Cli {
  /** The bundle. */
  readonly path: string;
  private readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
    this.path = join(dir, "guelab.mjs");
  }

  /** Bundles the sources as they are, at the depth at which bpf/ is found. */
  static async build(): Promise<Cli> {
    mkdirSync(join(ROOT, "build"), { recursive: true });
    const cli = new Cli(mkdtempSync(join(ROOT, "build", "test-cli-")));
    chmodSync(cli.dir, 0o755); // Users without rights run it, too.
    await build({
      stdin: {
        contents: `import { main } from "./src/cli/main.ts"; process.exitCode = await main(process.argv.slice(2));`,
        resolveDir: ROOT,
        loader: "ts",
      },
      outfile: cli.path,
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node20",
      external: ["koffi", "piscina"],
      banner: { js: 'import { createRequire as __cr } from "node:module"; const require = __cr(import.meta.url);' },
      logLevel: "error",
    });
    return cli;
  }

  run(...args: string[]): CliResult {
    return tryRun(process.execPath, [this.path, ...args]);
  }

  /** Runs it through another program: `unshare ...`, `setpriv ...`, `env ...`. */
  runBy(program: string, before: readonly string[], ...args: string[]): CliResult {
    return tryRun(program, [...before, process.execPath, this.path, ...args]);
  }

  start(...args: string[]): ChildProcess {
    return spawn(process.execPath, [this.path, ...args], { stdio: "ignore" });
  }

  /** Starts it and listens to what it says. */
  open(...args: string[]): OpenCli {
    return new OpenCli(spawn(process.execPath, [this.path, ...args], { stdio: ["ignore", "pipe", "pipe"] }));
  }

  close(): void {
    rmSync(this.dir, { recursive: true });
  }
}

/** A run that goes on while the test looks at its output. */
export class OpenCli {
  /** Standard output and standard error, as they came. */
  said = "";
  /** The exit code. */
  readonly ended: Promise<number | null>;
  readonly child: ChildProcess;
  private readonly watchers = new Set<() => void>();

  constructor(child: ChildProcess) {
    this.child = child;
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => {
        this.said += chunk;
        for (const look of this.watchers) look();
      });
    this.ended = new Promise((resolve) => child.once("close", resolve));
  }

  /** Settles when the output matches; fails when the run ends before. */
  until(pattern: RegExp): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!pattern.test(this.said)) return;
        this.watchers.delete(look);
        resolve();
      };
      this.watchers.add(look);
      this.ended.then(() => reject(new Error(`it ended without ${pattern}:\n${this.said}`)));
      look();
    });
  }
}
