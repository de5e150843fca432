/** A packet's way as lines on the drawing: one per link that it crossed, with what every host on the way did to it. */
import type { EventRow } from "../../../src/replay/types.ts";
import type { Layout, NicPlace, Point } from "./layout.ts";

export interface Segment {
  /** Counts links from 1. */
  number: number;
  /** Number of the event that sent it, and of the one that received it (the same where it was lost on the way). */
  sent: number;
  received: number;
  /** The frame carries a tunnel header. */
  tunnel: boolean;
  lost: boolean;
  points: Point[];
  badge: Point;
}

/** What a host did to the packet, as a chip in its box. */
export interface Action {
  host: string;
  event: number;
  text: string;
  tone: "pass" | "drop" | "redirect" | "tunnel";
  title: string;
}

const LANE = 7;

/** `rows` are the journey's events in order. Hosts that are not drawn are left out. */
export function journeySegments(layout: Layout, rows: readonly EventRow[]): Segment[] {
  const raw: { from: EventRow; to?: EventRow }[] = [];
  const open: EventRow[] = [];
  const networkOf = (r: EventRow): string | undefined => layout.hosts.get(r.host)?.nics.get(r.nic)?.network;
  const received = new Set<EventRow>();
  for (const row of rows) {
    const network = networkOf(row);
    if (row.kind !== "packet" || network === undefined) continue;
    if (row.direction === "out") open.push(row);
    else {
      // Copies of one frame (a flood) arrive at several places.
      const from = open.findLast((o) => networkOf(o) === network && o.host !== row.host);
      if (!from) continue;
      received.add(from);
      raw.push({ from, to: row });
    }
  }
  for (const from of open) if (!received.has(from)) raw.push({ from });
  raw.sort((a, b) => a.from.index - b.from.index || (a.to?.index ?? 0) - (b.to?.index ?? 0));

  const uses = new Map<string, number>();
  const key = (r: EventRow): string => `${r.host}/${r.nic}`;
  for (const { from, to } of raw)
    for (const r of to ? [from, to] : [from]) uses.set(key(r), (uses.get(key(r)) ?? 0) + 1);
  const used = new Map<string, number>();
  const lane = (r: EventRow): number => {
    const i = used.get(key(r)) ?? 0;
    used.set(key(r), i + 1);
    const n = uses.get(key(r)) ?? 1;
    // Lanes of a cable that was crossed very often lie over each other.
    return (i - (n - 1) / 2) * Math.min(LANE, 40 / n);
  };
  return raw.map(({ from, to }, i) => {
    const a = shifted(layout, place(layout, from), lane(from));
    const bar = layout.networks.get(place(layout, from).network)!;
    const side = (i % 3) * 2 - 2;
    const onBar = (p: Point): Point =>
      layout.wide ? { x: bar.x + bar.w / 2 + side, y: p.y } : { x: p.x, y: bar.y + bar.h / 2 + side };
    const b = to && shifted(layout, place(layout, to), lane(to));
    const points = b ? [a.at, onBar(a.tap), onBar(b.tap), b.at] : [a.at, onBar(a.tap)];
    return {
      number: i + 1,
      sent: from.index,
      received: to?.index ?? from.index,
      tunnel: (from.service ?? -1) >= 0,
      lost: !to,
      points,
      badge: { x: (a.at.x + a.tap.x) / 2, y: (a.at.y + a.tap.y) / 2 },
    };
  });
}

const place = (layout: Layout, r: EventRow): NicPlace => layout.hosts.get(r.host)!.nics.get(r.nic)!;

function shifted(layout: Layout, nic: NicPlace, by: number): { at: Point; tap: Point } {
  const move = (p: Point): Point => (layout.wide ? { x: p.x, y: p.y + by } : { x: p.x + by, y: p.y });
  return { at: move(nic.at), tap: move(nic.tap) };
}

/** Words for what the reasons that change a packet do to it. */
const DONE: Record<string, { text: string; tone: Action["tone"] }> = {
  PASS_ENCAP: { text: "encap", tone: "tunnel" },
  REDIRECT_ENCAP: { text: "encap", tone: "tunnel" },
  PASS_DECAP: { text: "decap", tone: "tunnel" },
  REDIRECT_DECAP: { text: "decap", tone: "tunnel" },
  PASS_DNAT: { text: "DNAT", tone: "redirect" },
  PASS_SNAT: { text: "SNAT", tone: "redirect" },
  PASS_DSO: { text: "SNAT", tone: "redirect" },
  REDIRECT_FRAG_NEEDED: { text: "too big", tone: "drop" },
  PING_CONSUMED: { text: "ping taken", tone: "pass" },
};

/** What happened to the packet on its way, host by host: translations, tunnels, drops. */
export function journeyActions(rows: readonly EventRow[]): Action[] {
  const out: Action[] = [];
  for (const row of rows) {
    const { host, index: event, note: title } = row;
    const done = row.kind === "hook" ? DONE[row.reason ?? ""] : undefined;
    if (done) out.push({ host, event, title, ...done });
    else if (row.kind === "nat") out.push({ host, event, title, text: "NAT", tone: "redirect" });
    else if (row.verdict === "drop" || row.kind === "drop")
      out.push({ host, event, title: row.reason ?? title, text: "✕ dropped", tone: "drop" });
  }
  return out;
}
