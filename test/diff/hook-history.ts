/** What a recording of a host's hooks holds, made without a kernel: the reference runs a vector's packets, and is recorded. */
import { readFileSync } from "node:fs";
import { Reference } from "../../src/dataplane/reference.ts";
import { Skb } from "../../src/dataplane/skb.ts";
import { fillTables, parseVectors } from "../../src/dataplane/vector.ts";
import { VectorFib } from "../../src/dataplane/vector-run.ts";
import { type HostHistory, HostRecorder } from "../../src/lab/linux/hook-record.ts";
import { RecordedPath } from "../../src/lab/linux/hook-recorded.ts";
import { createTables } from "../../src/tables/tables.ts";

/** `name`: of the vector, in a file of test/vectors. */
export function recordVectorRun(file: string, name: string): HostHistory {
  const path = `test/vectors/${file}.jsonl`;
  const vector = parseVectors(readFileSync(path, "utf8"), path).find((v) => v.name === name)!;
  const tables = createTables();
  const recorder = new HostRecorder("egw", tables, 0);
  fillTables(recorder.stores, vector);
  const fib = new VectorFib();
  fib.set(vector.fib);
  const hooks = new RecordedPath("eth1", new Reference(tables, fib), recorder);
  for (const packet of vector.packets) {
    const skb = new Skb();
    skb.setFrame(packet.frame);
    skb.ifindex = packet.ifindex;
    skb.gsoSize = packet.gsoSize;
    if (packet.vlan >= 0) skb.vlan = 0x10000 | packet.vlan;
    hooks[packet.hook](skb);
  }
  return recorder.history(() => {}, true, fib);
}

/** The history with one byte of what came out of its first run changed. */
export function tamperedRun(history: HostHistory, at: number): HostHistory {
  const [run, ...more] = history.hooks;
  const frame = run.after.frame.slice();
  frame[at] ^= 1;
  return { ...history, hooks: [{ ...run, after: { ...run.after, frame } }, ...more] };
}
