/** Modules of the kernel, loaded when a lab needs one: the machine's, as the demo's topo_setup loads fou. */
import { tryRun } from "../../ebpf/exec.ts";
import { LabError } from "../../errors.ts";

/** False where there is no such module. A machine without modprobe has no modules to load. */
export function loadModule(name: string): boolean {
  try {
    return tryRun("modprobe", ["-q", name]).status === 0;
  } catch (err) {
    if (err instanceof LabError) return false;
    throw err;
  }
}
