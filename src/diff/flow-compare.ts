/** Puts the flows of one NIC in two runs side by side: which there are, in which order they began, and what they carried. */
import type { Flow } from "./flows.ts";
import { diffPacket, fieldDifferences } from "./pair.ts";
import type { RuleCounter, ScenarioRule } from "./rules.ts";
import type { Difference } from "./types.ts";

type Rules = RuleCounter<ScenarioRule>;

/** `label`: `host/nic`. Differences in the order of the real run. */
export function compareFlows(
  label: string,
  real: readonly Flow[],
  reference: readonly Flow[],
  rules: Rules,
): Difference[] {
  const out: Difference[] = [];
  const theirs = new Map(real.map((f) => [f.key, f]));
  const ours = new Map(reference.map((f) => [f.key, f]));
  for (const flow of real) {
    const twin = ours.get(flow.key);
    if (twin === undefined && flow.isRetry) rules.use("gave-up");
    else if (twin === undefined) out.push(alone(label, flow, "real", "this flow is in the real run only"));
    else out.push(...compareContents(label, flow, twin, rules));
  }
  for (const flow of reference)
    if (!theirs.has(flow.key) && flow.isRetry) rules.use("gave-up");
    else if (!theirs.has(flow.key)) out.push(alone(label, flow, "reference", "this flow is in the simulated run only"));
  out.push(...compareOrder(label, real, reference, rules));
  return out;
}

function alone(label: string, flow: Flow, side: "real" | "reference", what: string): Difference {
  const packet = diffPacket(flow.first.timeNs, flow.first.frame);
  return {
    where: label,
    what,
    timeNs: side === "real" ? flow.firstNs : undefined,
    [side]: packet,
    fields: [],
    rows: [{ host: label, table: "flows", key: flow.key, [side]: describe(flow) }],
    notes: [],
  };
}

const describe = (flow: Flow): string =>
  flow.stream === undefined
    ? `${flow.messages.length} messages`
    : `${flow.stream.bytes().length} bytes, ${flow.stream.flags}`;

function compareContents(label: string, real: Flow, reference: Flow, rules: Rules): Difference[] {
  const differ = (what: string, theirs: string, ours: string): Difference => ({
    where: label,
    what,
    timeNs: real.firstNs,
    real: diffPacket(real.first.timeNs, real.first.frame),
    reference: diffPacket(reference.first.timeNs, reference.first.frame),
    fields: fieldDifferences(real.first.frame, reference.first.frame),
    rows: [{ host: label, table: "flows", key: real.key, real: theirs, reference: ours }],
    notes: ["The packets are the first of the flow in each run."],
  });
  if (real.stream !== undefined && reference.stream !== undefined) {
    const [a, b] = [real.stream, reference.stream];
    const out: Difference[] = [];
    const [x, y] = [httpText(a.bytes(), rules), httpText(b.bytes(), rules)];
    if (a.flags !== b.flags) {
      // Both sent a SYN, and nothing else but perhaps a RST.
      if (x === "" && y === "" && a.syn && b.syn && !a.fin && !b.fin) rules.use("gave-up");
      else if (x === y && a.syn === b.syn && a.fin && b.fin) rules.use("late-segment");
      else out.push(differ("a TCP direction has other flags", a.flags, b.flags));
    }
    if (x === y) return out;
    const [shorter, whole] = x.length < y.length ? [a, y.startsWith(x)] : [b, x.startsWith(y)];
    if (whole && !shorter.fin) {
      rules.use("unfinished");
      return out;
    }
    return [...out, differ("a TCP direction carried other bytes", excerpt(x, y), excerpt(y, x))];
  }
  const missing = reference.messages.find((m) => !real.messages.includes(m));
  const extra = real.messages.find((m) => !reference.messages.includes(m));
  if (missing === undefined && extra === undefined) {
    const inOrder = real.messages.every((m, i) => m === reference.messages[i]);
    return inOrder ? [] : [differ("the messages of a flow came in another order", describe(real), describe(reference))];
  }
  return [differ("a flow carried other messages", extra ?? "nothing besides", missing ?? "nothing besides")];
}

/** First line and body of an HTTP message; other streams as they are, one character a byte. */
function httpText(bytes: Uint8Array, rules: Rules): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += CHUNK) text += String.fromCharCode(...bytes.subarray(i, i + CHUNK));
  const end = text.indexOf("\r\n\r\n");
  if (end < 0 || !/^(HTTP\/1\.[01] \d{3}|[A-Z]+ \S+ HTTP\/1\.[01])/.test(text)) return text;
  rules.use("http-head");
  return `${text.slice(0, text.indexOf("\r\n"))}\r\n\r\n${text.slice(end + 4)}`;
}

const CHUNK = 8192;
const EXCERPT = 80;

/** Where `a` begins to differ from `b`. */
function excerpt(a: string, b: string): string {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return `${a.length} bytes; from byte ${at}: ${JSON.stringify(a.slice(at, at + EXCERPT))}`;
}

/** Flows that both runs have must begin in the same order, unless they ran at the same time. */
function compareOrder(label: string, real: readonly Flow[], reference: readonly Flow[], rules: Rules): Difference[] {
  const place = new Map(reference.map((f, i) => [f.key, i]));
  const common = real.filter((f) => place.has(f.key));
  for (let i = 0; i < common.length; i++)
    for (let j = i + 1; j < common.length; j++) {
      const [a, b] = [place.get(common[i].key) as number, place.get(common[j].key) as number];
      if (a < b) continue;
      if (overlap(common[i], common[j]) || reference[a].firstNs <= reference[b].lastNs) {
        rules.use("flow-order");
        continue;
      }
      return [
        {
          where: label,
          what: "two flows began in the other order",
          timeNs: common[i].firstNs,
          real: diffPacket(common[i].firstNs, common[i].first.frame),
          reference: diffPacket(reference[b].firstNs, reference[b].first.frame),
          fields: [],
          rows: [
            { host: label, table: "flows", key: "order", real: common[i].key, reference: common[j].key },
            { host: label, table: "flows", key: "then", real: common[j].key, reference: common[i].key },
          ],
          notes: [],
        },
      ];
    }
  return [];
}

/** How soon the lab's services answer, which are processes of a busy machine. */
const ANSWER_NS = 50_000_000;

/** `a` began first. */
const overlap = (a: Flow, b: Flow): boolean => b.firstNs <= a.lastNs + ANSWER_NS;
