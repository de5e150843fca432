/**
 * A virtual machine with another kernel than this machine's, for what this one lacks: qemu without KVM, a kernel of
 * Debian's packages, and an initramfs of this machine's own programs with guelab in it.
 */
import { spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { run, tryRun } from "../../src/ebpf/exec.ts";

const ROOT = join(import.meta.dirname, "..", "..");
/** What guelab runs, and what the machine's start needs. */
const TOOLS = ["ip", "tc", "curl", "iptables", "iptables-restore", "setpriv", "bpftool", "modprobe"];
/** Parts of the kernel that no network has to do with: without them the archive is small. */
const UNUSED = [
  "sound",
  "fs",
  "crypto",
  ...["scsi", "nvme", "gpu", "md", "block", "usb", "ata"].map((d) => `drivers/${d}`),
];

/** Folder with boot/ and lib/modules/ of a Debian kernel package; GUELAB_VM_KERNEL names it. */
const kernelDir = (): string => process.env.GUELAB_VM_KERNEL ?? "";

/** Why there can be no virtual machine; undefined when there can. */
export function vmMissing(): string | undefined {
  if (!existsSync(join(kernelDir(), "boot")))
    return "GUELAB_VM_KERNEL names no folder of an unpacked linux-image package";
  const wanted = ["qemu-system-x86_64", "cpio", "busybox", "depmod", "ldd", ...TOOLS];
  const gone = wanted.filter((t) => pathOf(t) === undefined);
  return gone.length === 0 ? undefined : `not installed: ${gone.join(", ")}`;
}

function pathOf(tool: string): string | undefined {
  const dirs = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`.split(":");
  const found = dirs.map((d) => join(d, tool)).find((p) => existsSync(p));
  return found && realpathSync(found);
}

/**
 * Boots the machine, runs guelab with these arguments in a folder that holds scenarios/ and the given files, and gives what
 * the console said.
 */
export async function guelabInVm(
  bundle: string,
  args: readonly string[],
  files: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<{ status: number; console: string }> {
  const dir = mkdtempSync(join(tmpdir(), "guelab-vm-"));
  try {
    const initrd = join(dir, "initrd.gz");
    fill(join(dir, "root"), bundle, args);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, "root/app", name), text);
    pack(join(dir, "root"), initrd);
    const said = await boot(initrd, signal);
    return { status: Number(/^guelab-exit (\d+)/m.exec(said)?.[1] ?? Number.NaN), console: said };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function fill(root: string, bundle: string, args: readonly string[]): void {
  for (const d of ["bin", "sbin", "usr/sbin", "proc", "sys", "dev", "run", "tmp", "etc", "lib", "app/build/cli"])
    mkdirSync(join(root, d), { recursive: true });
  put(root, process.execPath);
  symlinkSync(process.execPath, join(root, "bin/node"));
  for (const tool of TOOLS) {
    const path = pathOf(tool) as string;
    put(root, path);
    if (basename(path) !== tool) symlinkSync(path, join(root, "usr/sbin", tool));
  }
  // The kernel calls it by this name for modules that a program's request needs.
  symlinkSync(pathOf("modprobe") as string, join(root, "sbin/modprobe"));
  const extensions = readdirSync("/usr/lib")
    .map((d) => join("/usr/lib", d, "xtables"))
    .find((d) => existsSync(d));
  if (extensions) cpSync(extensions, join(root, extensions), { recursive: true, dereference: true });
  copyFileSync(pathOf("busybox") as string, join(root, "bin/busybox"));
  for (const applet of ["sh", "mount", "poweroff"]) symlinkSync("busybox", join(root, "bin", applet));

  const modules = join(kernelDir(), "lib/modules");
  const [version] = readdirSync(modules);
  cpSync(join(modules, version), join(root, "lib/modules", version), {
    recursive: true,
    filter: (from) => !UNUSED.some((part) => from.endsWith(`/kernel/${part}`)),
  });
  run("ERR_VM", "depmod", ["-b", root, version]);

  copyFileSync(bundle, join(root, "app/build/cli/guelab.mjs"));
  for (const part of ["scenarios", "bpf", "node_modules/koffi", "node_modules/@koromix"])
    if (existsSync(join(ROOT, part))) cpSync(join(ROOT, part), join(root, "app", part), { recursive: true });
  writeFileSync(join(root, "init"), init(args));
  chmodSync(join(root, "init"), 0o755);
}

/** Copies a program and the libraries it is linked with to the same paths. */
function put(root: string, path: string): void {
  const libraries = tryRun("ldd", [path]).stdout.match(/\/\S+/g) ?? [];
  for (const file of [path, ...libraries])
    if (!existsSync(join(root, file)) && existsSync(file)) {
      mkdirSync(join(root, dirname(file)), { recursive: true });
      copyFileSync(realpathSync(file), join(root, file));
    }
}

const init = (args: readonly string[]): string => `#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mount -t tmpfs tmp /run; mount -t tmpfs tmp /tmp; mount -t bpf bpf /sys/fs/bpf
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
for m in af_packet veth bridge; do modprobe $m; done
cd /app
node build/cli/guelab.mjs ${args.map((a) => `'${a.replaceAll("'", "'\\''")}'`).join(" ")}
echo guelab-exit $?
poweroff -f
`;

function pack(root: string, initrd: string): void {
  run("ERR_VM", "sh", ["-c", 'cd "$1" && find . | cpio -o -H newc --quiet | gzip -1 > "$2"', "pack", root, initrd]);
}

/** Gives the console's text when the machine has ended; the signal ends it at once. */
function boot(initrd: string, signal?: AbortSignal): Promise<string> {
  const kernel = readdirSync(join(kernelDir(), "boot")).find((f) => f.startsWith("vmlinuz")) as string;
  const machine = ["-accel", "tcg", "-cpu", "max", "-m", "2048", "-nographic", "-no-reboot", "-nic", "none"];
  const child = spawn(
    "qemu-system-x86_64",
    [
      ...machine,
      "-kernel",
      join(kernelDir(), "boot", kernel),
      "-initrd",
      initrd,
      "-append",
      "console=ttyS0 quiet panic=-1",
    ],
    { stdio: ["ignore", "pipe", "pipe"], signal, killSignal: "SIGKILL" },
  );
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (said += chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => resolve(said.replaceAll("\r", "")));
  });
}
