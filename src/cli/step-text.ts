/** An event of a recorded run as lines for a terminal: the event, why a hook decided so, what changed. */
import type { Recording } from "../replay/recording.ts";
import type { Check, EventDetail, EventRow, FrameDiff, PacketDetail, RowChange, StateView } from "../replay/types.ts";
import { explainFields } from "../report/explain-fields.ts";
import type { Paint, Style } from "../report/paint.ts";
import { labTime } from "../report/trace.ts";
import { alignColumns } from "../scenario/table-print.ts";
import { hexdump } from "../wire/hexdump.ts";

const VERDICT_STYLE: Record<string, Style> = { pass: "green", drop: "red", redirect: "yellow", consumed: "cyan" };
const MARK: Record<Check["outcome"], string> = { yes: "yes ", no: "no  ", stop: "=>  " };
const MARK_STYLE: Record<Check["outcome"], Style> = { yes: "green", no: "dim", stop: "yellow" };
/** Rows of one table on the screen. */
const MAX_ROWS = 40;

/** What kind of moment it is: `in`, `out`, `egress hook`, `nat`, ... */
function kindText(row: EventRow): string {
  if (row.kind === "packet") return row.direction ?? "";
  return row.kind === "hook" ? `${row.hook} hook` : row.kind;
}

/** One line: number, time, place, what it is, the packet, what was decided. */
export function eventLine(row: EventRow, total: number, paint: Paint): string {
  const number = `${row.index + 1}/${total}`.padStart(String(total).length * 2 + 1);
  const place = row.nic === "" ? row.host : `${row.host}/${row.nic}`;
  const note = row.note === "" ? "" : `  ${paint(VERDICT_STYLE[row.verdict ?? ""] ?? "bold", row.note)}`;
  const where = place === "" ? "" : ` ${paint("cyan", place)}`;
  return `${paint("dim", number)} ${paint("dim", labTime(row.timeNs))}${where} ${kindText(row)}  ${row.summary}${note}`;
}

/** The event with its decision and all that changed. */
export function eventLines(recording: Recording, index: number, paint: Paint): string[] {
  const event = recording.event(index);
  const out = [eventLine(event, recording.length, paint)];
  if (event.journey > 0) {
    const events = event.journeyView?.events ?? [];
    const nth = events.indexOf(index) + 1;
    const parent = event.journeyView?.parent ?? 0;
    const provoked = parent > 0 ? `, made of journey ${parent}` : "";
    out.push(paint("dim", `  journey ${event.journey}, ${nth} of its ${events.length} events${provoked}`));
  }
  if (event.decision) out.push(...decisionLines(event, paint));
  if (event.flow) out.push(`  flow ${event.flow}`);
  if (event.diff) out.push(...diffLines(event.diff, paint));
  for (const row of event.rows) out.push(changeLine(row, paint));
  if (event.stepView && event.stepView.lastEvent === index) out.push(...stepLines(event, paint));
  return out;
}

function decisionLines({ decision }: EventDetail, paint: Paint): string[] {
  if (decision === undefined) return [];
  const rows = decision.checks.map((c) => [
    c.question,
    c.expected === undefined ? c.value : `${c.value} (${c.expected})`,
    `${c.code.file.replace("src/dataplane/", "")}:${c.code.name}`,
  ]);
  const lines = alignColumns(rows.map(([q, v, code]) => [q, v.length > 60 ? `${v.slice(0, 58)}..` : v, code]));
  const out = lines.map((line, i) => {
    const { outcome } = decision.checks[i];
    return `  ${paint(MARK_STYLE[outcome], MARK[outcome])} ${line.trimEnd()}`;
  });
  const entry = decision.entry === "" ? "" : `, by ${decision.entry}`;
  const redirect = decision.redirect === "" ? "" : `, ${decision.redirect}`;
  const style = VERDICT_STYLE[decision.verdict];
  out.push(`  ${paint(style, `${decision.verdict} ${decision.reason}`)}: ${decision.text}${entry}${redirect}`);
  for (const note of decision.notes) out.push(paint("dim", `  noted ${note.name}: ${note.text}`));
  if (!decision.agrees)
    out.push(paint("red", "  told again, the reference decides otherwise: this is a defect of guelab"));
  return out;
}

const bytes = (r: { start: number; end: number }): string =>
  r.end - r.start === 1 ? `byte ${r.start}` : `bytes ${r.start}-${r.end - 1}`;

function diffLines(diff: FrameDiff, paint: Paint): string[] {
  const out = diff.added.map(
    (r) => `  ${paint("green", `+ ${r.end - r.start} bytes`)}: ${bytes(r)} of the frame after`,
  );
  for (const r of diff.removed)
    out.push(`  ${paint("red", `- ${r.end - r.start} bytes`)}: ${bytes(r)} of the frame before`);
  if (diff.changed.length > 0) {
    const places = diff.changed.map((c) => bytes(c.after)).join(", ");
    out.push(`  ${paint("yellow", "~ changed")}: ${places} of the frame after`);
  }
  for (const f of diff.fields) out.push(`    ${f.layer} ${f.field}: ${f.before} -> ${f.after}`);
  return out;
}

const changeLine = (row: RowChange, paint: Paint): string =>
  paint(
    row.table === "STATS" || row.table === "REASON" ? "dim" : "bold",
    `  ${row.host} ${row.table} ${row.key}: ${row.text}`,
  );

function stepLines({ stepView }: EventDetail, paint: Paint): string[] {
  if (stepView === undefined) return [];
  const out = stepView.output.map((line) => `  ${line}`);
  for (const check of stepView.checks.filter((c) => !c.ok))
    out.push(paint("red", `  expected ${check.text}: ${check.expected}, but ${check.actual}`));
  for (const f of stepView.failures) out.push(paint("red", `  ${f.message}${f.code ? ` (${f.code})` : ""}`));
  return out;
}

/** The frame taken apart, before and after where the event changed it. */
export function packetLines(event: EventDetail, paint: Paint): string[] {
  if (event.packet === undefined) return ["This event has no packet."];
  const one = (title: string, p: PacketDetail): string[] => [
    `${paint("bold", title)} ${paint("dim", `${p.frame.length} bytes`)}  ${p.summary}`,
    ...explainFields(p.frame, p.tree, paint),
    ...hexdump(p.frame).map((line) => `  ${line.slice(1)}`),
  ];
  const { packet, after } = event;
  return after === undefined ? one("Packet", packet) : [...one("Before", packet), ...one("After", after)];
}

/** All tables; rows that the event made or changed start with + or *, those that it removed with -. */
export function stateLines(states: readonly StateView[], paint: Paint): string[] {
  const out: string[] = [];
  for (const { host, tables } of states)
    for (const t of tables.filter((table) => table.name !== "STATS" && table.name !== "REASON")) {
      out.push(`${paint("cyan", host)} ${paint("bold", t.name)} ${paint("dim", t.doc)}`);
      const rows = t.rows.slice(0, MAX_ROWS);
      const [head, ...lines] = alignColumns([["key", ...t.columns], ...rows.map((r) => [r.key, ...r.cells])]);
      out.push(paint("dim", `    ${head.trimEnd()}`));
      for (const [i, row] of rows.entries()) {
        const sign = row.mark === "new" ? "+" : row.mark === "changed" ? "*" : " ";
        out.push(row.mark === "" ? `    ${lines[i].trimEnd()}` : paint("yellow", `  ${sign} ${lines[i].trimEnd()}`));
      }
      for (const row of t.removed) out.push(paint("red", `  - ${row.key}  ${row.cells.join("  ")}`));
      if (t.total > rows.length) out.push(paint("dim", `    and ${t.total - rows.length} more`));
    }
  return out.length === 0 ? ["All tables are empty."] : out;
}
