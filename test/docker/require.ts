/**
 * Whether this machine can run labs of containers, and what the tests need for them: a daemon of their own, and the image by
 * debootstrap. The image is made once for all test files of a run where GUELAB_IMAGE_CACHE names a folder for it.
 */
import { existsSync, mkdirSync, renameSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { buildPrograms } from "../../src/ebpf/build.ts";
import { run, tryRun } from "../../src/ebpf/exec.ts";
import { ensureBpffs, requireBpf } from "../../src/ebpf/load.ts";
import { DEFAULT_IMAGE, DEFAULT_MIRROR, DEFAULT_SUITE, debootstrapImage } from "../../src/lab/docker/image.ts";
import { requireTools } from "../../src/lab/linux/require.ts";
import { type Dockerd, startDockerd } from "../support/dockerd.ts";
import { requirement } from "../support/require.ts";

function missing(): string | undefined {
  try {
    const docker = { docker: "docker.io", dockerd: "docker.io", debootstrap: "debootstrap" };
    requireTools("docker", {
      ...docker,
      curl: "curl",
      tcpdump: "tcpdump",
      ip: "iproute2",
      bpftool: "bpftool",
      iptables: "iptables",
    });
    requireBpf();
    ensureBpffs();
    buildPrograms();
    if (existsSync(cachedImage())) return undefined;
    const release = `${DEFAULT_MIRROR}/dists/${DEFAULT_SUITE}/InRelease`;
    const mirror = tryRun("curl", [
      "--silent",
      "--show-error",
      "--fail",
      "--max-time",
      "20",
      "--range",
      "0-99",
      release,
    ]);
    return mirror.status === 0 ? undefined : `no Debian mirror: ${mirror.stderr.trim()}`;
  } catch (err) {
    return (err as Error).message;
  }
}

const cacheDir = process.env.GUELAB_IMAGE_CACHE;
const cachedImage = (): string => join(cacheDir ?? "/nonexistent", "image.tar");

const lacks = requirement("docker", missing);
/** Debian's packages come over the network. */
const IMAGE_MS = 400_000;
/** A daemon with much to remove takes its time on a busy machine. */
const CLOSE_MS = 60_000;

/** `describe` for tests that need such labs: skipped with the reason, or failed where GUELAB_REQUIRE=docker. */
export function describeDocker(title: string, body: (daemon: () => Dockerd) => void): void {
  if (lacks !== undefined) {
    describe.skip(`${title} (skipped: ${lacks})`, () => body(() => undefined as never));
    return;
  }
  describe(title, () => {
    let daemon: Dockerd | undefined;
    const before = process.env.DOCKER_HOST;
    beforeAll(async () => {
      daemon = await startDockerd();
      process.env.DOCKER_HOST = daemon.host;
      await provideImage();
    }, IMAGE_MS);
    afterAll(async () => {
      if (before === undefined) delete process.env.DOCKER_HOST;
      else process.env.DOCKER_HOST = before;
      await daemon?.close();
    }, CLOSE_MS);
    body(() => daemon as Dockerd);
  });
}

/** The test file that comes first makes the image; the others wait for it. */
async function provideImage(): Promise<void> {
  const quiet = (): void => {};
  if (cacheDir === undefined) return debootstrapImage(DEFAULT_IMAGE, quiet);
  const lock = join(cacheDir, "lock");
  mkdirSync(cacheDir, { recursive: true });
  while (!existsSync(cachedImage())) {
    try {
      mkdirSync(lock);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
      continue;
    }
    try {
      await debootstrapImage(DEFAULT_IMAGE, quiet);
      run("ERR_DOCKER", "docker", ["save", "--output", `${cachedImage()}.part`, DEFAULT_IMAGE]);
      renameSync(`${cachedImage()}.part`, cachedImage());
      return;
    } finally {
      rmdirSync(lock);
    }
  }
  run("ERR_DOCKER", "docker", ["load", "--input", cachedImage()]);
}
