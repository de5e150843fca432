/** What happened at the selected event: the decision check by check, the bytes before and after, the rows that changed. */
import { useMemo, useState } from "preact/hooks";
import type {
  ByteRange,
  Check,
  CodeLink,
  Decision as DecisionView,
  EventDetail,
  FrameDiff,
  OtherSide,
  RowChange,
} from "../../../src/replay/types.ts";
import { REASONS, type ReasonName } from "../../../src/tables/reasons.ts";
import * as store from "../store.ts";
import { HexView, type Mark } from "./HexView.tsx";
import { openCode } from "./SourceDialog.tsx";
import { StepDetail } from "./Steps.tsx";
import { Strips } from "./Strips.tsx";

export function Decision() {
  const e = store.event.value;
  const [lit, setLit] = useState<readonly [number, number] | undefined>(undefined);
  if (!e) return <p class="empty">Nothing is selected.</p>;
  const light = (r: ByteRange | undefined): void => setLit(r ? [r.start, r.end] : undefined);
  return (
    <div class="decision" data-testid="decision" data-index={e.index}>
      <Headline event={e} />
      {e.other ? <Other event={e} other={e.other} /> : null}
      {e.packet && e.after && e.diff ? <Strips before={e.packet} after={e.after} diff={e.diff} /> : null}
      {e.stepView ? <StepDetail step={e.stepView} /> : null}
      {e.decision ? <Checks decision={e.decision} onLight={light} /> : null}
      {e.packet ? <BeforeAfter event={e} lit={lit} /> : null}
      {e.flow ? (
        <section class="part">
          <h3>The flow that netfilter keeps</h3>
          <code class="block">{e.flow}</code>
        </section>
      ) : null}
      <Rows rows={e.rows} />
    </div>
  );
}

const PLACE: Record<EventDetail["kind"], (e: EventDetail) => string> = {
  packet: (e) => `${e.host} ${e.nic}: packet ${e.direction === "in" ? "comes in" : "goes out"}`,
  hook: (e) => `${e.host} ${e.nic}: ${e.hook} hook`,
  nat: (e) => `${e.host}: netfilter${e.point ? `, ${e.point}` : ""}`,
  drop: (e) => `${e.host}${e.nic ? ` ${e.nic}` : ""}: dropped by ${e.where ?? "the host"}`,
  step: (e) => `Step ${e.step}`,
  control: (e) => `${e.host}: tables change`,
};

const VERDICT: Record<string, { word: string; tone: string }> = {
  pass: { word: "passes", tone: "pass" },
  drop: { word: "✕ drops", tone: "drop" },
  redirect: { word: "↪ redirects", tone: "redirect" },
  consumed: { word: "takes the ping", tone: "pass" },
};

/** The event in a few words, for those who hear the page. */
export function headlineOf(e: EventDetail): string {
  const verdict = VERDICT[e.verdict ?? ""]?.word.replace(/^\W+/, "");
  return [PLACE[e.kind](e), verdict, e.decision?.text, e.summary].filter(Boolean).join(", ");
}

function Headline({ event: e }: { event: EventDetail }) {
  const verdict = VERDICT[e.verdict ?? ""];
  const delta = e.lengthAfter - e.length;
  return (
    <header class={`headline h-${e.verdict ?? e.kind}`}>
      <h2 data-testid="headline">
        {PLACE[e.kind](e)} {verdict ? <span class={`tag ${verdict.tone}`}>{verdict.word}</span> : null}
        {e.length > 0 && e.lengthAfter > 0 && delta !== 0 ? (
          <span class="tag tunnel" data-testid="delta">{`${delta > 0 ? "+" : "−"}${Math.abs(delta)} bytes`}</span>
        ) : null}
      </h2>
      {e.decision ? (
        <p>
          {sentence(e.decision.text)} <code data-testid="reason">{e.decision.reason}</code>
        </p>
      ) : e.reason && e.reason in REASONS ? (
        <p>
          {sentence(REASONS[e.reason as ReasonName].text)} <code data-testid="reason">{e.reason}</code>
        </p>
      ) : e.reason ? (
        <p data-testid="reason">{sentence(e.reason)}</p>
      ) : null}
      <p class="mono muted">{e.summary}</p>
      {e.decision?.entry ? (
        <p class="small">
          Decided by <code>{e.decision.entry}</code>
        </p>
      ) : null}
      {e.decision?.redirect ? <p class="small">Sent {e.decision.redirect}.</p> : null}
      {e.decision && !e.decision.agrees ? (
        <p class="alert" role="alert">
          The reference decides this frame otherwise than the recorded hook did: one of the two is wrong.
        </p>
      ) : null}
    </header>
  );
}

const sentence = (text: string): string => (text ? `${text[0].toUpperCase()}${text.slice(1)}.` : "");

const OUTCOME: Record<Check["outcome"], { sign: string; word: string }> = {
  yes: { sign: "✓", word: "yes" },
  no: { sign: "–", word: "no" },
  stop: { sign: "■", word: "decided here" },
};

/** So many checks in a row that only look at the packet's form, and that all held, are folded: what decided stands out. */
const FOLD = 4;

/** The checks in order, those to fold as one group. */
function folded(checks: readonly Check[]): Check[][] {
  const out: Check[][] = [];
  let run: Check[] | undefined;
  for (const c of checks) {
    const plain = c.outcome === "yes" && !c.lookup && c.code.name === "parsePacket";
    if (plain && run) run.push(c);
    else out.push(plain ? (run = [c]) : [c]);
    if (!plain) run = undefined;
  }
  return out;
}

function CheckLine(props: { check: Check; verdict: string; onLight: (r: ByteRange | undefined) => void }) {
  const c = props.check;
  return (
    <li
      class={`check ${c.outcome} ${props.verdict}`}
      onMouseEnter={() => props.onLight(c.bytes)}
      onMouseLeave={() => props.onLight(undefined)}
      onFocus={() => props.onLight(c.bytes)}
      onBlur={() => props.onLight(undefined)}
    >
      <span class="sign" aria-hidden="true">
        {OUTCOME[c.outcome].sign}
      </span>
      <div>
        <div class="check-line">
          <p>
            <span class="check-q">{c.question}</span> <span class="visually-hidden">{OUTCOME[c.outcome].word}</span>{" "}
            {c.value && c.value !== c.lookup?.entry ? <code>{c.value}</code> : null}
            {c.expected ? (
              <span class="muted small">
                {" "}
                against <code>{c.expected}</code>
              </span>
            ) : null}
          </p>
          <span class="links">
            <Code link={c.code} text={c.code.name} /> <Code link={c.twin} text="C" />
          </span>
        </div>
        {c.lookup ? (
          <p class="lookup small">
            <b>{c.lookup.table}</b> [<code>{c.lookup.key}</code>]{" "}
            {c.lookup.entry ? (
              <>
                → <code>{c.lookup.entry}</code>
              </>
            ) : (
              <span class="muted">has no such entry</span>
            )}
          </p>
        ) : null}
      </div>
    </li>
  );
}

function Checks({ decision, onLight }: { decision: DecisionView; onLight: (r: ByteRange | undefined) => void }) {
  return (
    <section class="part" aria-label="The decision, check by check">
      <h3>Check by check</h3>
      <ol class="checks" data-testid="checks">
        {folded(decision.checks).map((group) =>
          group.length < FOLD ? (
            group.map((c) => <CheckLine key={c.question} check={c} verdict={decision.verdict} onLight={onLight} />)
          ) : (
            <li key={group[0].question} class="folded">
              <details>
                <summary>
                  <span class="ok">✓</span> {group.length} checks held, of the packet's own headers
                </summary>
                <ol class="checks">
                  {group.map((c) => (
                    <CheckLine key={c.question} check={c} verdict={decision.verdict} onLight={onLight} />
                  ))}
                </ol>
              </details>
            </li>
          ),
        )}
      </ol>
      {decision.notes.length > 0 ? (
        <ul class="notes small">
          {decision.notes.map((n) => (
            <li key={n.name}>
              <code>{n.name}</code> {n.text}
            </li>
          ))}
        </ul>
      ) : null}
    </section>
  );
}

function Code({ link, text }: { link: CodeLink; text: string }) {
  const where = `${link.file}: ${link.name}`;
  return (
    <button type="button" class="link" title={where} aria-label={`Source of ${where}`} onClick={() => openCode(link)}>
      {text}
    </button>
  );
}

function BeforeAfter({ event: e, lit }: { event: EventDetail; lit: readonly [number, number] | undefined }) {
  const marks = useMemo(() => (e.diff ? marksOf(e.diff) : undefined), [e.diff]);
  const { packet, after, diff } = e;
  if (!packet) return null;
  if (!after || !diff)
    return (
      <section class="part">
        <h3>
          The packet{" "}
          <span class="muted">
            {packet.frame.length} bytes, {e.verdict ? "unchanged" : "as seen here"}
          </span>
        </h3>
        <HexView label="Bytes" bytes={packet.frame} lit={lit} testid="hex-before" />
      </section>
    );
  return (
    <section class="part" aria-label="Before and after" data-testid="before-after">
      <h3>
        Before <span class="muted">{packet.frame.length} bytes</span>
      </h3>
      <p class="mono muted small">{packet.summary}</p>
      <HexView label="Bytes before" bytes={packet.frame} marks={marks?.before} lit={lit} testid="hex-before" />
      <h3>
        After <span class="muted">{after.frame.length} bytes</span>
      </h3>
      <p class="mono muted small">{after.summary}</p>
      <HexView label="Bytes after" bytes={after.frame} marks={marks?.after} testid="hex-after" />
      <Counts diff={diff} />
      {diff.fields.length > 0 ? (
        <table class="grid small" data-testid="field-changes">
          <caption class="visually-hidden">Fields that changed</caption>
          <thead>
            <tr>
              <th scope="col">Field</th>
              <th scope="col">Before</th>
              <th scope="col">After</th>
            </tr>
          </thead>
          <tbody>
            {diff.fields.map((f) => (
              <tr key={`${f.layer} ${f.field}`}>
                <th scope="row">
                  {f.layer} {f.field}
                </th>
                <td class="mono">{f.before}</td>
                <td class="mono">
                  <ins>{f.after}</ins>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
    </section>
  );
}

const size = (ranges: readonly ByteRange[]): number => ranges.reduce((n, r) => n + r.end - r.start, 0);

/** How many bytes of each kind, which is the legend of the marks as well. */
function Counts({ diff }: { diff: FrameDiff }) {
  const kinds: [Mark, number][] = [
    ["added", size(diff.added)],
    ["removed", size(diff.removed)],
    ["changed", size(diff.changed.map((c) => c.after))],
  ];
  return (
    <p class="counts small" data-testid="diff-counts">
      {kinds
        .filter(([, n]) => n > 0)
        .map(([kind, n]) => (
          <span key={kind} class={`mark ${kind}`} data-count={n} data-mark={kind}>
            {n} {kind}
          </span>
        ))}
    </p>
  );
}

function marksOf(diff: FrameDiff): { before: Map<number, Mark>; after: Map<number, Mark> } {
  const out = { before: new Map<number, Mark>(), after: new Map<number, Mark>() };
  const put = (to: Map<number, Mark>, r: ByteRange, mark: Mark): void => {
    for (let i = r.start; i < r.end; i++) to.set(i, mark);
  };
  for (const r of diff.removed) put(out.before, r, "removed");
  for (const r of diff.added) put(out.after, r, "added");
  for (const c of diff.changed) {
    put(out.before, c.before, "changed");
    put(out.after, c.after, "changed");
  }
  return out;
}

function Rows({ rows }: { rows: readonly RowChange[] }) {
  if (rows.length === 0) return null;
  return (
    <section class="part" data-testid="row-changes">
      <h3>Table rows that changed</h3>
      <ul class="row-changes small">
        {rows.map((r) => (
          <li key={`${r.host} ${r.table} ${r.key}`}>
            <b>
              {r.host} {r.table}
            </b>{" "}
            <code>{r.key}</code> <span class={r.before ? (r.after ? "" : "gone") : "new"}>{r.text}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What two data paths made of one packet, side by side: outcome, the fields and the bytes in which they differ. */
function Other({ event: e, other }: { event: EventDetail; other: OtherSide }) {
  const marks = useMemo(() => (other.diff ? marksOf(other.diff) : undefined), [other.diff]);
  const differs = other.differences.length > 0;
  const reason = e.decision?.reason ?? e.reason ?? "";
  const verdict = e.verdict === "consumed" ? "drop" : (e.verdict ?? "");
  const here = e.after?.frame ?? (e.verdict === "drop" || e.verdict === "consumed" ? undefined : e.packet?.frame);
  return (
    <section class="part other" aria-label="Two data paths" data-testid="other-side">
      <h3>{differs ? "✕ Two data paths differ on this packet" : "✓ Two data paths agree on this packet"}</h3>
      {differs ? (
        <ul class="alert">
          {other.differences.map((d) => (
            <li key={d}>{d}</li>
          ))}
        </ul>
      ) : null}
      <table class="grid small sides">
        <thead>
          <tr>
            <td />
            <th scope="col">the reference (here)</th>
            <th scope="col">{other.name} (there)</th>
          </tr>
        </thead>
        <tbody>
          <Side name="verdict" here={verdict} there={other.verdict} />
          <Side name="reason" here={reason} there={other.reason} />
          <Side name="length" here={lengthOf(here)} there={lengthOf(other.frame)} />
          {other.diff?.fields.map((f) => (
            <Side key={`${f.layer} ${f.field}`} name={`${f.layer} ${f.field}`} here={f.before} there={f.after} />
          ))}
        </tbody>
      </table>
      {differs && here ? (
        <>
          <h3>
            From the reference <span class="muted">what is not the same is marked</span>
          </h3>
          <HexView label="Bytes from the reference" bytes={here} marks={marks?.before} />
        </>
      ) : null}
      {differs && other.frame ? (
        <>
          <h3>From {other.name}</h3>
          <HexView label={`Bytes from ${other.name}`} bytes={other.frame} marks={marks?.after} testid="hex-other" />
        </>
      ) : null}
    </section>
  );
}

const lengthOf = (frame: Uint8Array | undefined): string => (frame ? `${frame.length} bytes` : "no frame came out");

function Side({ name, here, there }: { name: string; here: string; there: string }) {
  const same = here === there;
  return (
    <tr data-differs={same ? undefined : name}>
      <th scope="row">{name}</th>
      <td class="mono">{here}</td>
      <td class="mono">{same ? there : <ins>{there}</ins>}</td>
    </tr>
  );
}
