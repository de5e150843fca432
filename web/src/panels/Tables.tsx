/** Every table of every host right after the selected event; what it changed is marked. */
import { signal } from "@preact/signals";
import type { StateTable } from "../../../src/replay/types.ts";
import * as store from "../store.ts";
import { count } from "../ui/format.ts";

/** The host to show; undefined: the one where the event was. */
const pinned = signal<string | undefined>(undefined);

const changesIn = (t: StateTable): number => t.rows.filter((r) => r.mark !== "").length + t.removed.length;

export function Tables() {
  const states = store.state.value;
  const here = store.event.value?.host;
  if (states.length === 0) return <p class="empty">No host has a table with rows at this moment.</p>;
  const shown = states.find((s) => s.host === (pinned.value ?? here)) ?? states[0];
  return (
    <div class="tables" data-testid="tables">
      <div class="quick" role="group" aria-label="Host">
        <button
          type="button"
          aria-pressed={pinned.value === undefined}
          title="The host where the event was"
          onClick={() => {
            pinned.value = undefined;
          }}
        >
          follow
        </button>
        {states.map((s) => {
          const n = s.tables.reduce(
            (sum, t) => sum + (t.name === "STATS" || t.name === "REASON" ? 0 : changesIn(t)),
            0,
          );
          return (
            <button
              key={s.host}
              type="button"
              aria-pressed={s.host === shown.host}
              onClick={() => {
                pinned.value = s.host;
              }}
            >
              {s.host}
              {n > 0 ? (
                <span class="badge changed" title={`${n} rows changed`}>
                  {n}
                </span>
              ) : null}
            </button>
          );
        })}
      </div>
      {shown.tables.map((t) => (
        <Table key={t.name} host={shown.host} table={t} />
      ))}
    </div>
  );
}

function Table({ host, table: t }: { host: string; table: StateTable }) {
  return (
    <section class="part" data-table={t.name}>
      <h3>
        {t.name} <span class="muted small">{t.doc}</span>
      </h3>
      <div class="scroll-x" role="region" tabIndex={0} aria-label={`${t.name} of ${host}`}>
        <table class="grid small">
          <thead>
            <tr>
              <th scope="col" class="mark-col">
                <span class="visually-hidden">Change</span>
              </th>
              <th scope="col">key</th>
              {t.columns.map((c) => (
                <th key={c} scope="col">
                  {c}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {t.rows.map((r) => (
              <tr key={r.key} class={r.mark} data-mark={r.mark || undefined}>
                <td class="mark-col">{r.mark === "new" ? "new" : r.mark === "changed" ? "chg" : ""}</td>
                <th scope="row" class="mono">
                  {r.key}
                </th>
                {r.cells.map((cell, i) => (
                  <td key={t.columns[i]} class={r.changed.includes(i) ? "mono cell-changed" : "mono"}>
                    {cell}
                  </td>
                ))}
              </tr>
            ))}
            {t.removed.map((r) => (
              <tr key={`gone ${r.key}`} class="gone" data-mark="removed">
                <td class="mark-col">gone</td>
                <th scope="row" class="mono">
                  <del>{r.key}</del>
                </th>
                {r.cells.map((cell, i) => (
                  <td key={t.columns[i]} class="mono">
                    <del>{cell}</del>
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {t.total > t.rows.length ? (
        <p class="muted small">
          {count(t.rows.length)} of {count(t.total)} rows.
        </p>
      ) : null}
    </section>
  );
}
