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

  close(): void {
    rmSync(this.dir, { recursive: true });
  }
}
