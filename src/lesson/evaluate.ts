/**
 * Finds an expression's value in a recorded run. What a path behind an event means:
 *
 *   .host .nic .reason .where .verdict .note .length .length_after ...   a value of the event itself (replay's EventRow)
 *   .LAYER.FIELD            a field of the frame after the event: names as in the header tree, blanks as `_`
 *   .inner.LAYER.FIELD      of the packet that a tunnel carries; .quoted.LAYER.FIELD of the one that an ICMP error is about
 *   .before...              in the frame before the event
 *   [offset:length]         bytes, of the frame or behind .LAYER of that header, as hex
 */
import { LabError } from "../errors.ts";
import type { EventDetail, EventRow, StateTable, StepView } from "../replay/types.ts";
import { didYouMean } from "../suggest.ts";
import { toHex } from "../wire/bytes.ts";
import { flatten, type LayerNode } from "../wire/dissect.ts";
import type { EventExpression, Expression, Node } from "./expression.ts";
import type { LessonRun } from "./run.ts";

/** A value, and where in the run it stands. */
export interface Found {
  value: number | string;
  /** As the run writes it: a number that people write in hex is in hex. */
  text: string;
  /** Number of the event to look at. */
  event?: number;
  /** Of a table's row: the host. */
  host?: string;
  /** Bytes of the frame after the event. */
  bytes?: { start: number; end: number };
}

/** Throws LabError ERR_LESSON_VALUE when the run has no such thing, with the expression's place. */
export async function evaluate(expression: Expression, run: LessonRun): Promise<Found> {
  return inPlace(expression, () => new Evaluator(run).value(expression.node));
}

/** Where in the run an expression leads to: as `evaluate`, but an event needs no field. */
export async function locate(expression: Expression, run: LessonRun): Promise<Found> {
  return inPlace(expression, () => new Evaluator(run).place(expression.node));
}

/** Gives an error the expression's place. */
async function inPlace(expression: Expression, work: () => Promise<Found>): Promise<Found> {
  try {
    return await work();
  } catch (err) {
    if (!(err instanceof LabError) || err.position) throw err;
    throw new LabError(err.code, err.message, { position: expression.position, hint: err.hint, cause: err.cause });
  }
}

const none = (message: string, hint?: string): never => {
  throw new LabError("ERR_LESSON_VALUE", message, { hint });
};

class Evaluator {
  private readonly run: LessonRun;

  constructor(run: LessonRun) {
    this.run = run;
  }

  async value(node: Node): Promise<Found> {
    switch (node.op) {
      case "number":
        return { value: node.value, text: String(node.value) };
      case "text":
        return { value: node.value, text: node.value };
      case "event":
        return this.event(node);
      case "count": {
        const { from, to } = this.range(node.step);
        const count = (await this.upTo(node.filter, to)) - (await this.upTo(node.filter, from - 1));
        const first = count > 0 ? await this.run.navigate(from - 1, "next", node.filter) : undefined;
        return { value: count, text: String(count), event: first };
      }
      case "row":
        return this.row(node);
      case "rows": {
        const { to } = this.range(node.step);
        const state = await this.run.state(to, node.host);
        const total = state?.tables.find((t) => t.name === node.table)?.total ?? 0;
        return { value: total, text: String(total), event: to, host: node.host };
      }
      case "owner":
        return this.owner(await this.value(node.of));
      case "sum": {
        const [left, right] = [await this.value(node.left), await this.value(node.right)];
        if (typeof left.value !== "number" || typeof right.value !== "number")
          return none(`"${left.text}" and "${right.text}" are not both numbers`);
        const value = left.value + node.sign * right.value;
        return { value, text: String(value), event: left.event ?? right.event };
      }
    }
  }

  /** First and last event of a step, of the whole run without one. */
  private range(name: string | undefined): { from: number; to: number } {
    const { info } = this.run;
    if (name === undefined) return { from: 0, to: info.events - 1 };
    const all = info.steps.flatMap(function within(s): StepView[] {
      return [s, ...s.steps.flatMap(within)];
    });
    const step = all.find((s) => s.title === name) ?? all.find((s) => s.command === name);
    if (!step || step.lastEvent < 0)
      return none(
        `the run has no step "${name}"`,
        didYouMean(
          name,
          all.map((s) => s.title),
          "Name a step by its name or its command.",
        ),
      );
    return { from: step.firstEvent, to: step.lastEvent };
  }

  /** How many of the events up to this one the filter lets through. */
  private async upTo(filter: string, index: number): Promise<number> {
    return index < 0 ? 0 : (await this.run.locate(filter, index)) + 1;
  }

  async place(node: Node): Promise<Found> {
    if (node.op !== "event" || node.path.length > 0 || node.slice) return this.value(node);
    const index = await this.find(node);
    return { value: index, text: String(index), event: index };
  }

  private async event(node: EventExpression): Promise<Found> {
    const index = await this.find(node);
    return { ...fieldOf(await this.run.event(index), node), event: index };
  }

  /** Number of the event that an expression names. */
  private async find(node: EventExpression): Promise<number> {
    const { from, to } = this.range(node.step);
    let index = node.which === "last" ? to + 1 : from - 1;
    for (let i = 0; i < node.n; i++) {
      const next = await this.run.navigate(index, node.which === "last" ? "previous" : "next", node.filter);
      if (next === undefined || next < from || next > to)
        return none(`no event of ${node.step ? `"${node.step}"` : "the run"} is number ${node.n} of: ${node.filter}`);
      index = next;
    }
    return index;
  }

  private async row(node: Extract<Node, { op: "row" }>): Promise<Found> {
    const { to } = this.range(node.step);
    const state = await this.run.state(to, node.host);
    const table = state?.tables.find((t) => t.name === node.table);
    if (!table) return none(`${node.host} has no rows in ${node.table}`);
    const rows = node.key === "*" ? table.rows : table.rows.filter((r) => r.key === node.key);
    if (rows.length !== 1)
      return none(
        `${rows.length} rows of ${node.table} on ${node.host} are "${node.key}"`,
        `Its keys: ${keys(table)}.`,
      );
    const column = table.columns.findIndex((c) => same(c, node.column));
    if (column < 0) return none(`${node.table} has no column ${node.column}`, `It has ${table.columns.join(", ")}.`);
    const text = rows[0].cells[column];
    return { value: /^\d+$/.test(text) ? Number(text) : text, text, event: to, host: node.host };
  }

  /** The host that has this MAC or IPv4 address. */
  private owner(found: Found): Found {
    const mac = /^02:42((?::[0-9a-f]{2}){4})$/.exec(found.text);
    // docker's rule, which all labs keep: 02:42 and the IPv4 address.
    const addr = mac
      ? mac[1]
          .slice(1)
          .split(":")
          .map((h) => Number.parseInt(h, 16))
          .join(".")
      : found.text.replace(/:\d+$/, "");
    const { hosts = [], proxyIps = {} } = this.run.info.topology ?? {};
    const host =
      hosts.find((h) => h.nics.some((n) => n.addr === addr) || h.loopback.includes(addr))?.name ??
      Object.entries(proxyIps).find(([, ip]) => ip === addr)?.[0];
    return host === undefined ? none(`no host has the address ${found.text}`) : { ...found, value: host, text: host };
  }
}

const keys = (table: StateTable): string => table.rows.map((r) => r.key).join("; ") || "none";
const spelled = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_|_$/g, "");
const same = (name: string, wanted: string): boolean => spelled(name) === spelled(wanted);

/** Values of the event itself, by the names that expressions use. */
const ROW_FIELDS = {
  host: "host",
  nic: "nic",
  reason: "reason",
  where: "where",
  verdict: "verdict",
  note: "note",
  hook: "hook",
  point: "point",
  tunnel: "tunnel",
  group: "group",
  service: "service",
  length: "length",
  length_after: "lengthAfter",
  time: "timeNs",
} as const satisfies Record<string, keyof EventRow>;

function fieldOf(detail: EventDetail, node: EventExpression): Omit<Found, "event"> {
  const path = [...node.path];
  const last = path.length === 1 && !node.slice ? ROW_FIELDS[path[0] as keyof typeof ROW_FIELDS] : undefined;
  if (last !== undefined) {
    const value = detail[last];
    return value === undefined ? none(`the event has no ${path[0]}`) : { value, text: String(value) };
  }
  const before = path[0] === "before";
  if (before) path.shift();
  const packet = before ? detail.packet : (detail.after ?? detail.packet);
  if (!packet) return none("the event has no packet");
  const field = node.slice ? undefined : path.pop();
  if (!node.slice && field === undefined) return none("the expression names no field", "For example .udp.source_port");
  const layer = layerOf(packet.tree, path);
  if (node.slice) {
    const start = (layer?.offset ?? 0) + node.slice.offset;
    const end = start + node.slice.length;
    if (end > packet.frame.length) return none(`the frame ends at byte ${packet.frame.length}`);
    const text = toHex(packet.frame, start, end);
    return { value: text, text, bytes: { start, end } };
  }
  if (!layer)
    return none(
      `.${field} is neither a value of the event nor in a layer`,
      `Values of an event: ${Object.keys(ROW_FIELDS).join(", ")}.`,
    );
  const found = layer.fields.find((f) => same(f.name, field as string));
  if (!found)
    return none(
      `the layer ${layer.name} has no field ${field}`,
      `It has ${layer.fields.map((f) => spelled(f.name)).join(", ")}.`,
    );
  // An address is a number in the tree; people and answers write it dotted.
  const dotted = typeof found.value === "number" && /[.:]/.test(found.text);
  return {
    value: dotted ? found.text : found.value,
    text: found.text,
    bytes: { start: found.offset, end: found.offset + found.length },
  };
}

/** The layer that a path names; undefined for an empty path. `inner` and `quoted` go behind a tunnel's or an ICMP header. */
function layerOf(tree: LayerNode, path: readonly string[]): LayerNode | undefined {
  let layers = flatten(tree);
  let at: LayerNode | undefined;
  for (const name of path) {
    if (name === "inner" || name === "quoted") {
      const outer = layers.find((l) => (name === "inner" ? l.name === "gue" : l.name === "icmp"));
      if (!outer) return none(`the packet carries no ${name} packet`);
      layers = outer.children.flatMap(flatten);
      at = layers[0];
      continue;
    }
    at = layers.find((l) => l.name === name);
    if (!at) return none(`the packet has no layer ${name}`, `It has ${layers.map((l) => l.name).join(", ")}.`);
    layers = at.children.flatMap(flatten);
    layers.unshift(at);
  }
  return at;
}
