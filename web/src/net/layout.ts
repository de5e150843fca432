/**
 * Where the drawing of a topology puts its hosts and networks. Every network is a bar; clients and proxies stand on one
 * side of the first one, servers and NATs on the other, and each NAT carries the networks behind it: a tree whose
 * levels grow along the main axis (to the right, or downwards on a narrow screen).
 */
import type { Role } from "../../../src/scenario/topology.ts";

/** What the layout needs of a topology. */
export interface LayoutInput {
  networks: readonly { name: string; members: readonly string[] }[];
  hosts: readonly { name: string; role: Role; nics: readonly { name: string; network: string }[] }[];
}

export interface Point {
  x: number;
  y: number;
}

export interface Box extends Point {
  w: number;
  h: number;
}

/** Where a NIC's cable leaves the box, and where it meets the bar. */
export interface NicPlace {
  at: Point;
  tap: Point;
  network: string;
}

export interface HostPlace extends Box {
  name: string;
  nics: Map<string, NicPlace>;
}

export interface Layout {
  width: number;
  height: number;
  /** True where levels grow to the right. */
  wide: boolean;
  /** Boxes beside each other across the main axis, at most. */
  rows: number;
  hosts: Map<string, HostPlace>;
  networks: Map<string, Box>;
  /** Network -> members that are not drawn, in topologies with more hosts than fit. */
  hidden: Map<string, number>;
}

/** Boxes side by side on a narrow screen are as wide as they can be, within these. */
const HOST_W = { narrowest: 108, widest: 140 } as const;
/** Where levels grow downwards cables leave at the lower edge, so that what stands there needs a line of its own. */
const HOST_H = { wide: 80, narrow: 112 } as const;
const BAR = 10;
/** As short as a numbered badge allows, and as long as is of use. */
const CABLE = { shortest: 24, longest: 46 } as const;
const GAP = 14;
const MARGIN = 8;
/** Room for the name of a network below its bar. */
const LABEL = 19;
/** Hosts of one side of a network that are drawn without being asked for; in a large topology there are fewer. */
const MAX_SIDE = 8;
const MANY_HOSTS = 40;
const FEW = 2;

/** A host and what hangs behind it, and how much of the cross axis they take. */
interface Branch {
  host: string;
  nets: NetNode[];
  span: number;
}

interface NetNode {
  name: string;
  before: string[];
  behind: Branch[];
  span: number;
}

/**
 * `shown` hosts are always drawn, however many there are. Cables are as short, and boxes side by side as narrow, as it takes
 * to fit `room` (px) without making everything smaller.
 */
export function layoutTopology(
  input: LayoutInput,
  wide: boolean,
  shown: ReadonlySet<string> = new Set(),
  room: { width: number; height: number } = { width: Number.POSITIVE_INFINITY, height: Number.POSITIVE_INFINITY },
): Layout {
  const { shortest, longest } = CABLE;
  const along = ({ width, height }: { width: number; height: number }): number => (wide ? width : height);
  let hostWidth: number = HOST_W.widest;
  let long = place(input, wide, shown, longest, hostWidth);
  if (!wide && long.width > room.width) {
    const over = (long.width - room.width) / Math.max(1, long.rows);
    hostWidth = Math.max(HOST_W.narrowest, Math.floor(hostWidth - over));
    long = place(input, wide, shown, longest, hostWidth);
  }
  if (along(long) <= along(room)) return long;
  const short = place(input, wide, shown, shortest, hostWidth);
  if (along(short) >= along(room)) return short;
  const share = (along(room) - along(short)) / (along(long) - along(short));
  return place(input, wide, shown, shortest + Math.floor((longest - shortest) * share), hostWidth);
}

function place(
  input: LayoutInput,
  wide: boolean,
  shown: ReadonlySet<string>,
  cable: number,
  hostWidth: number,
): Layout {
  const cross = wide ? HOST_H.wide : hostWidth;
  const main = wide ? hostWidth : HOST_H.narrow;
  const byName = new Map(input.hosts.map((h) => [h.name, h]));
  const networks = new Map(input.networks.map((n) => [n.name, n]));
  const hidden = new Map<string, number>();
  const most = input.hosts.length > MANY_HOSTS ? FEW : MAX_SIDE;
  const placedHosts = new Set<string>();
  const placedNets = new Set<string>();

  const netNode = (name: string, first: boolean): NetNode => {
    placedNets.add(name);
    const fresh = (networks.get(name)?.members ?? []).filter((m) => !placedHosts.has(m) && byName.has(m));
    const isBefore = (m: string): boolean => first && ["client", "proxy"].includes(byName.get(m)!.role);
    const before = pick(fresh.filter(isBefore));
    const rest = pick(fresh.filter((m) => !isBefore(m)));
    const left = fresh.filter((m) => !before.includes(m) && !rest.includes(m));
    if (left.length > 0) hidden.set(name, left.length);
    for (const m of left) hide(m);
    for (const m of fresh) placedHosts.add(m);
    const behind = rest.map((host): Branch => {
      const nets = byName
        .get(host)!
        .nics.map((n) => n.network)
        .filter((n) => !placedNets.has(n) && networks.has(n))
        .map((n) => netNode(n, false));
      return { host, nets, span: Math.max(cross, total(nets.map((n) => n.span))) };
    });
    const span = Math.max(total(before.map(() => cross)), total(behind.map((b) => b.span)), cross);
    return { name, before, behind, span };
  };
  /** What is behind a host that is not drawn is not drawn either. */
  const hide = (host: string): void => {
    placedHosts.add(host);
    for (const { network } of byName.get(host)!.nics) {
      if (placedNets.has(network)) continue;
      placedNets.add(network);
      for (const m of networks.get(network)?.members ?? []) if (byName.has(m) && !placedHosts.has(m)) hide(m);
    }
  };
  const pick = (names: string[]): string[] =>
    names.length <= most ? names : names.filter((n, i) => shown.has(n) || i < most - 1);

  const roots: NetNode[] = [];
  for (const net of input.networks) if (!placedNets.has(net.name)) roots.push(netNode(net.name, true));

  const boxes: { name: string; m: number; c: number }[] = [];
  const bars: { name: string; m: number; c: number; span: number }[] = [];
  const put = (node: NetNode, m: number, c: number): void => {
    bars.push({ name: node.name, m, c, span: node.span });
    let at = c + (node.span - total(node.before.map(() => cross))) / 2;
    for (const name of node.before) {
      boxes.push({ name, m: m - cable - main, c: at });
      at += cross + GAP;
    }
    at = c + (node.span - total(node.behind.map((b) => b.span))) / 2;
    for (const branch of node.behind) {
      boxes.push({ name: branch.host, m: m + BAR + cable, c: at + (branch.span - cross) / 2 });
      let inner = at + (branch.span - total(branch.nets.map((n) => n.span))) / 2;
      for (const net of branch.nets) {
        put(net, m + BAR + cable + main + cable, inner);
        inner += net.span + GAP;
      }
      at += branch.span + GAP;
    }
  };
  let offset = MARGIN;
  for (const root of roots) {
    put(root, MARGIN + main + cable, offset);
    offset += root.span + GAP * 2;
  }
  // Without anything before the first bar the drawing starts at the bar.
  const start = Math.min(...boxes.map((b) => b.m), ...bars.map((b) => b.m)) - MARGIN;
  const mainEnd = Math.max(0, ...boxes.map((b) => b.m + main), ...bars.map((b) => b.m + BAR)) - start + MARGIN;
  const crossEnd = Math.max(0, ...boxes.map((b) => b.c + cross), ...bars.map((b) => b.c + b.span)) + MARGIN;

  const box = (m: number, c: number, dm: number, dc: number): Box =>
    wide ? { x: m - start, y: c, w: dm, h: dc } : { x: c, y: m - start, w: dc, h: dm };
  const layout: Layout = {
    width: wide ? mainEnd : crossEnd,
    // The names of the networks stand below their bars.
    height: wide ? crossEnd + LABEL : mainEnd,
    wide,
    rows: Math.round((crossEnd - 2 * MARGIN + GAP) / (cross + GAP)),
    hosts: new Map(),
    networks: new Map(bars.map((b) => [b.name, box(b.m, b.c - 4, BAR, b.span + 8)])),
    hidden,
  };
  for (const b of boxes) {
    const at = box(b.m, b.c, main, cross);
    layout.hosts.set(b.name, { name: b.name, ...at, nics: nicPlaces(at, byName.get(b.name)!.nics, layout) });
  }
  return layout;
}

const total = (spans: readonly number[]): number =>
  spans.reduce((a, b) => a + b, 0) + GAP * Math.max(0, spans.length - 1);

/** Cables leave a box on the side of their network; several on one side share it evenly. */
function nicPlaces(host: Box, nics: readonly { name: string; network: string }[], layout: Layout): HostPlace["nics"] {
  const out: HostPlace["nics"] = new Map();
  const { wide } = layout;
  const near: [string, NicPlace][] = [];
  const far: [string, NicPlace][] = [];
  for (const nic of nics) {
    const bar = layout.networks.get(nic.network);
    if (!bar) continue;
    const ahead = wide ? bar.x > host.x : bar.y > host.y;
    const at = wide ? { x: ahead ? host.x + host.w : host.x, y: 0 } : { x: 0, y: ahead ? host.y + host.h : host.y };
    const tap = wide ? { x: ahead ? bar.x : bar.x + bar.w, y: 0 } : { x: 0, y: ahead ? bar.y : bar.y + bar.h };
    (ahead ? far : near).push([nic.name, { at, tap, network: nic.network }]);
  }
  for (const side of [near, far])
    side.forEach(([name, place], i) => {
      const share = (i + 1) / (side.length + 1);
      const along = wide ? host.y + host.h * share : host.x + host.w * share;
      const bar = layout.networks.get(place.network)!;
      const onBar = wide ? clamp(along, bar.y + 4, bar.y + bar.h - 4) : clamp(along, bar.x + 4, bar.x + bar.w - 4);
      if (wide) [place.at.y, place.tap.y] = [along, onBar];
      else [place.at.x, place.tap.x] = [along, onBar];
      out.set(name, place);
    });
  return out;
}

const clamp = (v: number, low: number, high: number): number => Math.min(high, Math.max(low, v));
