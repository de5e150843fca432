/** Every table of every host right after the selected event; what it changed is marked. */
import type { StateTable, StateView } from "../../../src/replay/types.ts";
import * as store from "../store.ts";
import { count } from "../ui/format.ts";

export function Tables() {
  const states = store.hosts.value;
  const pinned = store.tableHost.value;
  const shown = store.tables.value;
  if (store.manyHosts()) return <OneHost shown={shown} />;
  if (!shown) return <p class="empty">No host has a table with rows at this moment.</p>;
  return (
    <div class="tables" data-testid="tables">
      <div class="quick" role="group" aria-label="Host">
        <button
          type="button"
          aria-pressed={pinned === undefined}
          title="The host where the event was"
          onClick={() => {
            store.tableHost.value = undefined;
          }}
        >
          follow
        </button>
        {states.map((s) => (
          <button
            key={s.host}
            type="button"
            aria-pressed={s.host === shown.host}
            onClick={() => {
              store.tableHost.value = s.host;
            }}
          >
            {s.host}
            {s.changes > 0 ? (
              <span class="badge changed" title={`${s.changes} rows changed`}>
                {s.changes}
              </span>
            ) : null}
          </button>
        ))}
      </div>
      {shown.tables.map((t) => (
        <Table key={t.name} host={shown.host} table={t} />
      ))}
    </div>
  );
}

/** Where there are too many hosts for a row of buttons. */
function OneHost({ shown }: { shown: StateView | undefined }) {
  return (
    <div class="tables" data-testid="tables">
      <select
        aria-label="Host"
        value={store.tableHost.value ?? ""}
        onChange={(e) => {
          store.tableHost.value = e.currentTarget.value || undefined;
        }}
      >
        <option value="">where the event was</option>
        {store.info.value?.topology?.hosts.map((h) => (
          <option key={h.name} value={h.name}>
            {h.name}
          </option>
        ))}
      </select>
      {shown ? (
        shown.tables.map((t) => <Table key={t.name} host={shown.host} table={t} />)
      ) : (
        <p class="empty">This host has no table with rows at this moment.</p>
      )}
    </div>
  );
}

function Table({ host, table: t }: { host: string; table: StateTable }) {
  return (
    <section class="part" data-table={t.name}>
      <h2>
        {t.name} <span class="muted small">{t.doc}</span>
      </h2>
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
          {count(t.rows.length)} of {count(t.total)} rows.{" "}
          {store.tableRows.value < store.MANY_ROWS ? (
            <button
              type="button"
              class="link"
              onClick={() => {
                store.tableRows.value = store.MANY_ROWS;
              }}
            >
              Show more
            </button>
          ) : null}
        </p>
      ) : null}
    </section>
  );
}
