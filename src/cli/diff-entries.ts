/**
 * What `guelab diff --html` puts on the page: the first difference of each level with both packets, then what really happened as its
 * capture, and the simulated run as its sources.
 */
import type { Difference, DiffPacket, LevelReport } from "../diff/types.ts";
import type { ReportEntry } from "../replay/document.ts";
import type { OtherPacket } from "../replay/protocol.ts";
import { captureBytes } from "../report/capture.ts";
import type { PacketRecord } from "../scenario/lab.ts";
import { loadScenarioFiles } from "../scenario/load.ts";
import { toHex } from "../wire/bytes.ts";
import type { Compared } from "./diff.ts";

export function diffEntries({ file, report, real, reference }: Compared): ReportEntry[] {
  const { files } = loadScenarioFiles(file);
  const { title } = report;
  const status = report.verdict === "equal" ? ("passed" as const) : ("failed" as const);
  const bytes = captureBytes(real.packets, real.topology);
  const capture = {
    kind: "capture" as const,
    file: pcapng(file),
    bytes,
    scenario: files,
    report: real.report,
  };
  const out: ReportEntry[] = report.levels.flatMap((level) => differenceEntry(level, file) ?? []);
  out.push({ title, status, lab: report.against, source: capture, report: real.report });
  if (reference !== undefined) {
    const source = { kind: "scenario" as const, ...files, seed: reference.report.seed };
    out.push({ title, status, lab: "sim", source, report: reference.report });
  }
  return out;
}

const pcapng = (file: string): string => file.replace(/(\.ya?ml)?$/i, ".pcapng");

/** The first difference of a level: as a vector with what both hooks made of it, else as its packet with the other beside it. */
function differenceEntry(level: LevelReport, file: string): ReportEntry | undefined {
  const { first, vector, vectorReal } = level;
  if (first === undefined) return undefined;
  const title = `${level.level} ${level.title}: ${first.where}: ${first.what}`;
  const entry = { title, status: "failed" as const };
  if (vector !== undefined && vectorReal !== undefined) {
    const other = { name: "the real hook", text: vectorReal };
    return { ...entry, lab: "vector", source: { kind: "vector", file: "vector.jsonl", text: vector, other } };
  }
  // Of two packets the second stands beside the first; where there is one only, its interface says whose it is.
  const { real, reference } = first;
  const side = real === undefined ? "reference" : "real";
  const packet = real ?? reference;
  if (packet === undefined) return undefined;
  const bytes = captureBytes([packetAt(first.where, side, packet)]);
  const other = real && reference && otherPacket(first, reference);
  return { ...entry, lab: "difference", source: { kind: "capture", file: pcapng(file), bytes, other } };
}

const otherPacket = ({ fields }: Difference, { frame }: DiffPacket): OtherPacket => ({
  name: "the reference",
  differences: fields.map((f) => `${f.layer} ${f.field}: ${f.real} here, ${f.reference} there`),
  frame: toHex(frame),
});

/** On an interface of its side: `nat/eth1:real`. */
function packetAt(where: string, side: "real" | "reference", { timeNs, frame }: DiffPacket): PacketRecord {
  const [host, rest = "host"] = where.split("/");
  return { timeNs, host, nic: `${rest.split(" ")[0]}:${side}`, direction: "out", frame };
}
