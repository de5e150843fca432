/** The scenario's steps with how each came out; what failed stands first and says what was expected and what was found. */

import type { StepView } from "../../../src/replay/types.ts";
import type { CheckReport, FailureReport } from "../../../src/scenario/report-types.ts";
import * as store from "../store.ts";
import { plural, seconds } from "../ui/format.ts";

const SIGN: Record<StepView["status"], string> = { passed: "✓", failed: "✕", skipped: "–" };

export function Steps() {
  const info = store.info.value;
  if (!info) return null;
  return (
    <div class="steps" data-testid="steps">
      {info.description ? <p class="description">{info.description}</p> : null}
      {info.changes.length > 0 ? (
        <ul class="changes small">
          {info.changes.map((c) => (
            <li key={c}>{c}</li>
          ))}
        </ul>
      ) : null}
      {info.steps.length > 0 ? <StepList steps={info.steps} /> : <p class="muted">This recording has no steps.</p>}
    </div>
  );
}

/** Longer lists show their beginning, what is near the selected event, and what failed. */
const LONG = 60;
const NEAR = 15;

function StepList({ steps }: { steps: readonly StepView[] }) {
  const at = store.selected.value;
  const now = steps.findLastIndex((s) => s.firstEvent >= 0 && s.firstEvent <= at);
  const shown =
    steps.length <= LONG
      ? steps
      : steps.filter((s, i) => i < NEAR || Math.abs(i - now) <= NEAR || s.status === "failed").slice(0, LONG * 4);
  return (
    <ol class="step-list">
      {shown.length < steps.length ? (
        <li class="muted small">
          {shown.length} of {plural(steps.length, "step")}: the first, those near this moment, and what failed.
        </li>
      ) : null}
      {shown.map((s) => {
        const here = s.firstEvent >= 0 && at >= s.firstEvent && at <= s.lastEvent;
        return (
          <li key={s.id}>
            <button
              type="button"
              class={`step ${s.status}${here ? " here" : ""}`}
              aria-current={here ? "step" : undefined}
              disabled={s.firstEvent < 0}
              data-step={s.id}
              data-status={s.status}
              onClick={() => void store.select(s.firstEvent)}
            >
              <span class="sign">
                <span aria-hidden="true">{SIGN[s.status]}</span>
                <span class="visually-hidden">{s.status}</span>
              </span>
              <span class="step-text">
                {s.command || !s.title.startsWith(s.kind) ? <span class="step-kind">{s.kind}</span> : null}{" "}
                <span class={s.command ? "mono" : ""}>{s.command ?? s.title}</span>
              </span>
            </button>
            <Failures checks={s.checks} failures={s.failures} />
            {s.steps.length > 0 ? <StepList steps={s.steps} /> : null}
          </li>
        );
      })}
    </ol>
  );
}

/** What of a step did not hold. */
export function Failures(props: { checks: readonly CheckReport[]; failures: readonly FailureReport[] }) {
  const failed = [
    ...props.failures.map((f) => ({
      text: f.message,
      expected: f.expected,
      actual: f.actual,
      detail: f.hint ? [f.hint] : [],
    })),
    ...props.checks.filter((c) => !c.ok),
  ];
  if (failed.length === 0) return null;
  return (
    <ul class="failures" data-testid="failures">
      {failed.map((f) => (
        <li key={f.text}>
          <p>
            <b>{f.text}</b>
          </p>
          {f.expected || f.actual ? (
            <dl>
              <dt>expected</dt>
              <dd class="mono">{f.expected || "–"}</dd>
              <dt>actual</dt>
              <dd class="mono">{f.actual || "–"}</dd>
            </dl>
          ) : null}
          {f.detail.map((d) => (
            <p key={d} class="mono small">
              {d}
            </p>
          ))}
        </li>
      ))}
    </ul>
  );
}

/** One step in full, where its beginning or end is the selected event. */
export function StepDetail({ step: s }: { step: StepView }) {
  const held = s.checks.filter((c) => c.ok);
  return (
    <section class="part">
      <p>
        <span class={`tag ${s.status === "failed" ? "drop" : s.status === "passed" ? "pass" : ""}`}>
          {SIGN[s.status]} {s.status}
        </span>{" "}
        <span class="muted small">
          {seconds(s.startNs)} to {seconds(s.endNs)} s, {plural(s.packets, "packet")}
          {s.refused ? `, refused as expected (${s.refused})` : ""}
        </span>
      </p>
      <Failures checks={s.checks} failures={s.failures} />
      {s.output.length > 0 ? (
        <>
          <h3>Output</h3>
          <pre class="block" tabIndex={0}>
            {s.output.join("\n")}
          </pre>
        </>
      ) : null}
      {held.length > 0 ? (
        <>
          <h3>What held</h3>
          <ul class="held small">
            {held.map((c) => (
              <li key={c.text}>
                <span class="ok">✓</span> {c.text}
              </li>
            ))}
          </ul>
        </>
      ) : null}
      {s.drops.length > 0 ? (
        <>
          <h3>Dropped meanwhile</h3>
          <ul class="held small">
            {s.drops.map((d) => (
              <li key={`${d.timeNs} ${d.host} ${d.packet}`}>
                <b>
                  {d.host}
                  {d.nic ? `/${d.nic}` : ""}
                </b>{" "}
                {d.where}: <code>{d.reason}</code> {d.packet} {d.count > 1 ? `× ${d.count}` : ""}
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </section>
  );
}
