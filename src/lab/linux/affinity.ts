/** Binds this process and the children that it starts to one CPU (sched_setaffinity(2)), and lets it go again. */
import { readdirSync } from "node:fs";
import { memory, nativeLibrary } from "../../ebpf/libc.ts";
import { LabError } from "../../errors.ts";

/** Bytes of a cpu_set_t: 1,024 CPUs. */
const SET = 128;

export class OneCpu {
  private readonly before = memory(SET);
  private readonly set: (thread: number, size: number, mask: number) => number;

  /** Throws LabError ERR_AFFINITY. */
  constructor() {
    const { lib } = nativeLibrary();
    const get = lib.func("int sched_getaffinity(int pid, size_t size, size_t mask)");
    this.set = lib.func("int sched_setaffinity(int pid, size_t size, size_t mask)");
    if (get(0, SET, this.before.addr) < 0) throw new LabError("ERR_AFFINITY", "cannot read the CPUs of this process");
    const allowed = [...Array(SET * 8).keys()].filter((cpu) => (this.before.bytes[cpu >> 3] >> (cpu & 7)) & 1);
    // Several labs at once are spread by the number of their process.
    const cpu = allowed[process.pid % allowed.length];
    const one = memory(SET);
    one.bytes[cpu >> 3] = 1 << (cpu & 7);
    this.bind(one.addr);
  }

  release(): void {
    this.bind(this.before.addr);
  }

  /** A thread that ends meanwhile is none to bind. */
  private bind(mask: number): void {
    for (const thread of readdirSync("/proc/self/task")) this.set(Number(thread), SET, mask);
  }
}
