/**
 * The few C library calls that Node lacks, through koffi: bpf(2), mmap(2), unshare(2), setns(2). koffi is an optional
 * package and is loaded when the first call is made.
 */
import { createRequire } from "node:module";
import { LabError } from "../errors.ts";

/** `__NR_bpf` of include/uapi/asm-generic and arch/x86. */
const NR_BPF: Readonly<Record<string, number>> = { x64: 321, arm64: 280, riscv64: 280, loong64: 280 };

export const CLONE_NEWNET = 0x40000000;
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const MAP_SHARED = 1;

export interface Libc {
  /** bpf(2): `attr` is an address. The result, or -1 with `errno()` set. */
  bpf(cmd: number, attr: number, size: number): number;
  errno(): number;
  unshare(flags: number): number;
  setns(fd: number, nstype: number): number;
  /** An address, or -1. */
  mmap(length: number, prot: number, flags: number, fd: number, offset: number): number;
  munmap(addr: number, length: number): number;
  /** Address of a buffer; stays valid as long as the buffer lives, provided that it is an `ArrayBuffer` of its own. */
  addressOf(bytes: Uint8Array): number;
  /** The memory at an address as bytes, without a copy. */
  view(addr: number, length: number): Uint8Array;
}

let loaded: Libc | undefined;

/** The calls; throws LabError ERR_NO_KOFFI or ERR_NO_BPF where they cannot be made. */
export function libc(): Libc {
  loaded ??= load();
  return loaded;
}

function load(): Libc {
  const nr = NR_BPF[process.arch];
  if (process.platform !== "linux" || nr === undefined)
    throw new LabError("ERR_NO_BPF", `eBPF needs Linux on x64 or arm64, this is ${process.platform} ${process.arch}`, {
      hint: "Run it on Linux; the simulated lab (--lab sim) runs everywhere.",
    });
  const { koffi, lib } = nativeLibrary();
  const syscall = lib.func("int syscall(long nr, int cmd, size_t attr, unsigned int size)");
  const mmap = lib.func("intptr_t mmap(size_t addr, size_t len, int prot, int flags, int fd, long off)");
  const munmap = lib.func("int munmap(size_t addr, size_t len)");
  return {
    bpf: (cmd, attr, size) => syscall(nr, cmd, attr, size),
    errno: () => koffi.errno(),
    unshare: lib.func("int unshare(int flags)"),
    setns: lib.func("int setns(int fd, int nstype)"),
    mmap: (length, prot, flags, fd, offset) => Number(mmap(0, length, prot, flags, fd, offset)),
    munmap: (addr, length) => munmap(addr, length),
    addressOf: (bytes) => Number(koffi.address(bytes)),
    view: (addr, length) => new Uint8Array(koffi.view(BigInt(addr), length)),
  };
}

/** The package koffi, and the C library through it. Throws LabError ERR_NO_KOFFI. */
// biome-ignore lint/suspicious/noExplicitAny: koffi's types say little about what it returns
export function nativeLibrary(): { koffi: any; lib: any } {
  try {
    const koffi = createRequire(import.meta.url)("koffi");
    return { koffi, lib: koffi.load(null) };
  } catch (err) {
    throw new LabError("ERR_NO_KOFFI", "the optional package koffi, which makes the system calls, is not installed", {
      hint: "Install it with: npm install koffi",
      cause: err,
    });
  }
}

/** Memory whose address does not change: for what the kernel reads and writes. */
export interface Memory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly addr: number;
}

/** Takes `size` zeroed bytes. */
export function memory(size: number): Memory {
  // A typed array over a buffer of its own: V8 may move the bytes of a small array that it allocates itself.
  const buffer = new ArrayBuffer(Math.max(size, 128));
  const bytes = new Uint8Array(buffer, 0, size);
  return { bytes, view: new DataView(buffer), addr: libc().addressOf(bytes) };
}
