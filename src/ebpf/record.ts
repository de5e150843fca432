/**
 * What guelab did at a NIC, noted on bpffs before it is done: symbolic links below an instance's `at` directory, whose text
 * is the note. So a killed run leaves nothing unknown, and the notes go with the kernel, as filters and qdiscs do.
 */
import { existsSync, readdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { attachDir, type Instance } from "./load.ts";

export interface AttachRecord {
  /** The namespace: its inode, and its name or path when it was entered. */
  inode: number;
  netns: string;
  nic: string;
  ifindex: number;
  mac: string;
  /** True when guelab added the clsact qdisc, which is then its to remove. */
  clsact: boolean;
}

// bpffs takes no dots in file names, as VLAN devices have: numbers only.
const recordPath = (instance: Instance, inode: number, ifindex: number): string =>
  join(attachDir(instance), `${inode}-${ifindex}`);

export function writeRecord(instance: Instance, record: AttachRecord): void {
  const path = recordPath(instance, record.inode, record.ifindex);
  const fields = Object.entries(record).map(([key, value]): [string, string] => [key, String(value)]);
  rmSync(path, { force: true });
  symlinkSync(new URLSearchParams(fields).toString(), path);
}

/** The records of an instance; none where it is not loaded. Another process may remove them meanwhile. */
export function readRecords(instance: Instance): AttachRecord[] {
  const dir = attachDir(instance);
  try {
    return readdirSync(dir).map((file) => parseRecord(readlinkSync(join(dir, file))));
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== "ENOENT") throw err;
    return existsSync(dir) ? readRecords(instance) : [];
  }
}

function parseRecord(text: string): AttachRecord {
  const fields = new URLSearchParams(text);
  const field = (key: string): string => fields.get(key) ?? "";
  return {
    inode: Number(field("inode")),
    netns: field("netns"),
    nic: field("nic"),
    ifindex: Number(field("ifindex")),
    mac: field("mac"),
    clsact: field("clsact") === "true",
  };
}

export function removeRecord(instance: Instance, inode: number, ifindex: number): void {
  rmSync(recordPath(instance, inode, ifindex), { force: true });
}
