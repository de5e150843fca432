/**
 * The image of the docker lab's hosts: built from docker/Dockerfile by the daemon, or the same from a Debian mirror by
 * debootstrap where no registry is reachable.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BPF_DIR } from "../../ebpf/build.ts";
import { LabError } from "../../errors.ts";
import { docker, tryDocker } from "./cli.ts";
import { findDaemon } from "./daemon.ts";
import { type Progress, withTools } from "./tools.ts";

/** docker/ of this package. */
export const IMAGE_DIR = join(BPF_DIR, "..", "docker");
export const DEFAULT_IMAGE = "guelab";
/** Label of every image that is made here. */
export const IMAGE_LABEL = "guelab.image";
export const DEFAULT_MIRROR = "http://deb.debian.org/debian";
export const DEFAULT_SUITE = "bookworm";

/** As docker writes references: registry, path, tag; nothing that could be an option. */
const TAG = /^[a-z0-9][a-z0-9._/-]*(:[\w][\w.-]{0,127})?$/;
/** What a container needs no more of a package. */
const LEFT_OUT = [
  "./var/cache/apt/*",
  "./var/lib/apt/lists/*",
  "./usr/share/doc/*",
  "./usr/share/man/*",
  "./usr/share/locale/*",
];

export interface DebootstrapOptions {
  mirror?: string;
  suite?: string;
}

/** Builds by the daemon, which pulls debian:bookworm-slim. Throws LabError ERR_NO_DOCKER, ERR_IMAGE_NAME, ERR_IMAGE_BUILD. */
export async function buildImage(tag: string, progress: Progress): Promise<void> {
  checkTag(tag);
  findDaemon();
  await withTools(progress, async (start) => {
    await start(
      "docker",
      ["build", "--tag", tag, "--", IMAGE_DIR],
      "Where no registry is reachable: --from-debootstrap",
    );
  });
}

/**
 * Builds from a Debian mirror, which needs root. Throws LabError ERR_NO_ROOT, ERR_NO_PROGRAM, ERR_NO_DOCKER, ERR_IMAGE_NAME,
 * ERR_IMAGE_BUILD; nothing is left behind then.
 */
export async function debootstrapImage(
  tag: string,
  progress: Progress,
  options: DebootstrapOptions = {},
): Promise<void> {
  const { mirror = DEFAULT_MIRROR, suite = DEFAULT_SUITE } = options;
  checkTag(tag);
  if (!/^[a-z][a-z0-9-]*$/.test(suite))
    throw badArgument(`'${suite}' is no suite of Debian`, "bookworm, for instance.");
  if (!/^(https?|file):\/\/\S+$/.test(mirror))
    throw badArgument(`'${mirror}' is no mirror`, `${DEFAULT_MIRROR}, for instance.`);
  if (process.geteuid?.() !== 0)
    throw new LabError("ERR_NO_ROOT", "debootstrap makes a root file system, which needs root", {
      hint: "Run it with sudo.",
    });
  findDaemon();
  const dir = mkdtempSync(join(tmpdir(), "guelab-image-"));
  const root = join(dir, "root");
  try {
    await withTools(progress, async (start) => {
      const include = readFileSync(join(IMAGE_DIR, "packages.txt"), "utf8").split(/\s+/).filter(Boolean).join(",");
      // In a mount namespace of its own: what debootstrap mounts goes with it, however it ends.
      const args = ["--mount", "debootstrap", "--variant=minbase", `--include=${include}`, suite, root, mirror];
      await start("unshare", args, `Is the mirror reachable? ${mirror}; another one: --mirror URL`);
      await start("sh", [join(IMAGE_DIR, "install.sh"), IMAGE_DIR, root]);
      const tar = ["--create", "--directory", root, ...LEFT_OUT.map((path) => `--exclude=${path}`), "."];
      const changes = ["LABEL", "ENV", "CMD"].flatMap(instructions).flatMap((line) => ["--change", line]);
      await start("tar", ["--file", join(dir, "root.tar"), ...tar]);
      await start("docker", ["import", ...changes, "--", join(dir, "root.tar"), tag]);
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Lines of the Dockerfile that say so. */
const instructions = (word: string): string[] =>
  readFileSync(join(IMAGE_DIR, "Dockerfile"), "utf8")
    .split("\n")
    .filter((line) => line.startsWith(`${word} `));

export interface ImageEntry {
  name: string;
  id: string;
  size: string;
}

/** The images that were made here. Throws LabError ERR_NO_DOCKER. */
export function listImages(): ImageEntry[] {
  findDaemon();
  const format = "{{.Repository}}:{{.Tag}}\t{{.ID}}\t{{.Size}}";
  const lines = docker(["images", "--filter", `label=${IMAGE_LABEL}`, "--format", format])
    .split("\n")
    .filter(Boolean);
  return lines.map((line) => {
    const [name, id, size] = line.split("\t");
    return { name, id, size };
  });
}

/** Throws LabError ERR_NO_DOCKER, ERR_NO_IMAGE, ERR_IMAGE_OTHER, ERR_DOCKER (it is in use). */
export function removeImage(tag: string): void {
  checkTag(tag);
  findDaemon();
  requireImage(tag);
  docker(["image", "rm", "--", tag]);
}

/** Throws LabError where the daemon has no such image, or where it is not one of those made here: ERR_NO_IMAGE, ERR_IMAGE_OTHER. */
export function requireImage(image: string): void {
  checkTag(image);
  const r = tryDocker(["image", "inspect", "--format", `{{index .Config.Labels "${IMAGE_LABEL}"}}`, "--", image]);
  if (r.status !== 0)
    throw new LabError("ERR_NO_IMAGE", `the docker daemon has no image ${image}`, {
      hint: "Make it: guelab image build, or where no registry is reachable: guelab image build --from-debootstrap",
    });
  if (r.stdout.trim() === "")
    throw new LabError("ERR_IMAGE_OTHER", `the image ${image} was not made by guelab image build`, {
      hint: "Make one: guelab image build --tag NAME, and give its name with --image NAME.",
    });
}

function checkTag(tag: string): void {
  if (!TAG.test(tag))
    throw new LabError("ERR_IMAGE_NAME", `'${tag}' is no name of an image`, { hint: "guelab, or guelab:test." });
}

const badArgument = (message: string, hint: string): LabError => new LabError("ERR_BAD_ARGUMENT", message, { hint });
