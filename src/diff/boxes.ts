/**
 * Level b, box by box: every host and gateway of a real run beside its twin. Both are given the same frames at the same times,
 * and the twin is told what the scenario's commands changed; every frame that left the real box must be one that the twin
 * made, byte by byte, and the reverse. What the real box is free to choose is in rules.ts.
 */
import { LabError } from "../errors.ts";
import type { PacketRecord } from "../scenario/lab.ts";
import type { Topology } from "../scenario/topology.ts";
import { macOf } from "../sim/nic.ts";
import { ARPOP_REPLY, arpCheck, arpOper, arpSha, arpSpa } from "../wire/arp.ts";
import { ETH_HLEN, ETH_P_ARP, ethType, type Mac, rdMac } from "../wire/ethernet.ts";
import { BoxMatcher } from "./box-match.ts";
import { PortAhead } from "./port-ahead.ts";
import { BOX_RULES, type BoxRule, RuleCounter } from "./rules.ts";
import { TwinNetwork } from "./twin.ts";
import { applyCommand, changesTwin, effectNs } from "./twin-commands.ts";
import { type Difference, KEPT_DIFFERENCES, type LevelReport } from "./types.ts";
import type { CommandMark } from "./watch.ts";

/** What is known of a run of a real lab. */
export interface RealRun {
  topology: Topology;
  packets: readonly PacketRecord[];
  marks: readonly CommandMark[];
  /** The lab's time when the last packets were asked for, ns. */
  endNs: number;
}

export const BOXES_TITLE = "box by box";

/** From one topo_setup to the topo_cleanup behind it: boxes forget what was before. */
interface Span {
  fromNs: number;
  toNs: number;
}

/** `prepare` is called for each network of twins before it is used: tests put a fault there. */
export function compareBoxes(run: RealRun, prepare: (net: TwinNetwork) => void = () => {}): LevelReport {
  let best = replayAll(run, new Map(), prepare);
  const effects = new Map<CommandMark, number>();
  // A frame that met a command half done: whether before or after its effect, only the outcome tells.
  for (let round = 0; round < MAX_ROUNDS && best.differences.length > 0; round++) {
    const mark = duringWhich(run, best.differences[0], effects);
    if (mark === undefined) break;
    for (const timeNs of moments(run, mark)) {
      const tried = replayAll(run, new Map([...effects, [mark, timeNs]]), prepare);
      if (tried.differences.length >= best.differences.length) continue;
      best = tried;
      effects.set(mark, timeNs);
    }
    if (!effects.has(mark)) break;
    best.rules.use("command-moment", effects.size);
  }
  const { matchers, differences, rules } = best;
  const sum = (of: (m: BoxMatcher) => number): number => matchers.reduce((total, m) => total + of(m), 0);
  return {
    level: "b",
    title: BOXES_TITLE,
    verdict: differences.length === 0 ? "equal" : "different",
    why: "",
    counts: [
      { name: "boxes", count: run.topology.hosts.length + run.topology.networks.length },
      { name: "frames in", count: sum((m) => m.framesIn) },
      { name: "frames out", count: sum((m) => m.framesOut) },
      { name: "made by the box", count: sum((m) => m.predicted) },
      { name: "sent by its processes", count: sum((m) => m.local) },
    ],
    rules: rules.report(),
    differenceCount: differences.length,
    first: differences[0],
    differences: differences.slice(0, KEPT_DIFFERENCES),
  };
}

/** Commands whose moment is looked for. */
const MAX_ROUNDS = 4;
/** Moments that are tried within one command. */
const MAX_MOMENTS = 16;

type Effects = ReadonlyMap<CommandMark, number>;

interface Replay {
  matchers: BoxMatcher[];
  differences: Difference[];
  rules: RuleCounter<BoxRule>;
}

function replayAll(run: RealRun, effects: Effects, prepare: (net: TwinNetwork) => void): Replay {
  const rules = new RuleCounter<BoxRule>(BOX_RULES);
  const matchers = spans(run).map((span) => replay(run, span, rules, effects, prepare));
  const differences = matchers.flatMap((m) => m.differences);
  differences.sort((a, b) => (a.timeNs ?? 0) - (b.timeNs ?? 0));
  return { matchers, differences, rules };
}

const hostOf = ({ command }: CommandMark): unknown => command.host ?? command.args.node;

/** The command that was changing the host while the difference arose; undefined where none was. */
function duringWhich(run: RealRun, { where, timeNs }: Difference, tried: Effects): CommandMark | undefined {
  if (timeNs === undefined) return undefined;
  return run.marks.find(
    (m) =>
      !tried.has(m) &&
      m.refused === undefined &&
      changesTwin(m.command) &&
      hostOf(m) === where.split("/")[0] &&
      m.startNs <= timeNs &&
      timeNs <= m.endNs,
  );
}

/** The begin of a command, its end, and between the host's frames in it. */
function moments({ packets }: RealRun, mark: CommandMark): number[] {
  const within = packets.filter((p) => p.host === hostOf(mark) && p.timeNs > mark.startNs && p.timeNs < mark.endNs);
  return [mark.startNs, mark.endNs, ...within.slice(0, MAX_MOMENTS).map((p) => p.timeNs + 1)];
}

function spans({ marks, endNs }: RealRun): Span[] {
  const out: Span[] = [{ fromNs: Number.NEGATIVE_INFINITY, toNs: endNs }];
  for (const { command, startNs, refused } of marks) {
    if (refused !== undefined) continue;
    if (command.spec.name === "topo_cleanup") out[out.length - 1].toNs = startNs;
    else if (command.spec.name === "topo_setup") out.push({ fromNs: startNs, toNs: endNs });
  }
  return out;
}

function replay(
  run: RealRun,
  span: Span,
  rules: RuleCounter<BoxRule>,
  effects: Effects,
  prepare: (net: TwinNetwork) => void,
): BoxMatcher {
  const when = (mark: CommandMark): number => effects.get(mark) ?? effectNs(mark);
  // Each NIC's ring is read on its own: the order of all is that of time.
  const packets = run.packets.filter((p) => p.timeNs >= span.fromNs && p.timeNs <= span.toNs);
  packets.sort((a, b) => a.timeNs - b.timeNs);
  const commands = run.marks
    .filter((m) => m.refused === undefined && changesTwin(m.command))
    .filter((m) => when(m) >= span.fromNs && when(m) <= span.toNs)
    .sort((a, b) => when(a) - when(b));
  const ahead = new PortAhead(packets, () => rules.use("nat-port"));
  const net = new TwinNetwork(run.topology, ahead.choose, Math.max(0, packets[0]?.timeNs ?? 0));
  for (const n of neighbours(run.topology, packets)) net.setNeighbour(n.label, n.addr, n.mac);
  prepare(net);
  const matcher = new BoxMatcher(net, rules, run.marks, ahead);
  let next = 0;
  for (const [i, packet] of packets.entries()) {
    for (; next < commands.length && when(commands[next]) <= packet.timeNs; next++)
      apply(matcher, commands[next], when(commands[next]));
    matcher.step(i, packet);
  }
  for (; next < commands.length; next++) apply(matcher, commands[next], when(commands[next]));
  matcher.finish(span.toNs);
  return matcher;
}

function apply(matcher: BoxMatcher, mark: CommandMark, timeNs: number): void {
  matcher.pass(timeNs);
  try {
    applyCommand(matcher.net, mark.command);
  } catch (err) {
    if (!(err instanceof LabError)) throw err;
    matcher.refused(mark, err);
  }
}

interface KnownNeighbour {
  label: string;
  addr: number;
  mac: Mac;
}

/**
 * The neighbours of every NIC. Setup has made hosts and gateways known to one another before captures begin, so who answered
 * cannot be seen; ARP replies in the capture tell the MAC addresses where they are not made of the address.
 */
function neighbours(topology: Topology, packets: readonly PacketRecord[]): KnownNeighbour[] {
  const ends = topology.networks.map((net) => {
    const members = topology.hosts.flatMap((host) =>
      host.nics
        .filter((n) => n.network === net.name)
        .map(({ name, addr }) => ({ label: `${host.name}/${name}`, addr })),
    );
    return [{ label: `gateway.${net.name}/br0`, addr: net.gateway }, ...members];
  });
  const seen = new Map<string, Mac>();
  const told: KnownNeighbour[] = [];
  for (const { host, nic, direction, frame } of packets) {
    const label = `${host}/${nic}`;
    if (direction === "out" && frame.length >= ETH_HLEN) seen.set(`${label} ${rdMac(frame, 0)}`, rdMac(frame, 0));
    const isArp = direction === "in" && frame.length >= ETH_HLEN && ethType(frame, 0) === ETH_P_ARP;
    if (isArp && arpCheck(frame, ETH_HLEN, frame.length) && arpOper(frame, ETH_HLEN) === ARPOP_REPLY)
      told.push({ label, addr: arpSpa(frame, ETH_HLEN), mac: arpSha(frame, ETH_HLEN) });
  }
  const known = ends.flatMap((network) =>
    network.flatMap(({ label }) =>
      network
        // In a large network only those that were really sent to.
        .filter(({ addr }) => network.length <= SMALL_NETWORK || seen.has(`${label} ${macOf(addr)}`))
        .map(({ addr }) => ({ label, addr, mac: macOf(addr) })),
    ),
  );
  return [...known, ...told];
}

const SMALL_NETWORK = 64;
