/** Nothing is open: what there is to open. In a report its runs; else the scenarios that come with guelab, by group. */
import { useState } from "preact/hooks";
import { catalogue, catalogueSource } from "../catalogue.ts";
import { isDone, lessons, startLesson } from "../lessons/Lessons.tsx";
import { labWords, reportDocument, statusWords } from "../report.ts";
import * as store from "../store.ts";
import { plural } from "../ui/format.ts";

export function Chooser() {
  const report = reportDocument.value;
  if (report)
    return (
      <main class="chooser" id="main">
        <h1>{report.command}</h1>
        <p class="muted">
          {plural(report.entries.length, "entry", "entries")},{" "}
          {report.entries.filter((e) => e.status === "failed").length} of them not as they should be
        </p>
        <ul class="cards" data-testid="entries">
          {report.entries.map((e) => (
            <li key={`${e.lab} ${e.title} ${e.source.file}`}>
              <button type="button" class="card" onClick={() => void store.open(e.source)}>
                <span class={`tag ${e.status === "failed" ? "drop" : "pass"}`}>{statusWords(e)}</span>
                <b>{e.title}</b>
                <span class="muted small">
                  {labWords(e)}, {e.source.file}
                </span>
              </button>
            </li>
          ))}
        </ul>
      </main>
    );
  return (
    <main class="chooser" id="main">
      <h1>What happens to a packet on its way through a GUE tunnel?</h1>
      <p class="lead">
        GUE (Generic UDP Encapsulation) carries a packet inside a UDP datagram, from a public gateway to a server that
        may be behind a NAT. Choose a lesson or a scenario: it runs here, in a simulated network. Then go through it
        packet by packet, and see what every box did, which table entry decided it, and why.
      </p>
      <h2>Lessons</h2>
      <ul class="cards lesson-cards" data-testid="lesson-cards">
        {lessons.value.map((l, i) => (
          <li key={l.id}>
            <button type="button" class="card" onClick={() => startLesson(l.id)}>
              <span>
                <span class="muted">{i + 1}</span> {l.title}{" "}
                {isDone(l) ? (
                  <span class="tag pass">
                    <span aria-hidden="true">✓</span> done
                  </span>
                ) : null}
              </span>
            </button>
          </li>
        ))}
      </ul>
      <Catalogue />
    </main>
  );
}

/** Names of the folders, for those who have not seen them. */
const GROUPS: Record<string, string> = {
  basic: "Start here",
  attach: "Attaching the data path",
  dso: "Direct return",
  faults: "Bad links",
  fwd: "Forwarding by the hooks",
  gue: "GUE pings and NAT mappings",
  large: "Large",
  linux: "The Linux-only tunnel",
  mtu: "Packets that do not fit",
  multi: "Two services",
  multiservice: "Services on one node",
  ports: "Port pool",
  security: "Wrong keys and forged packets",
  session: "Sessions",
  simple: "One service",
  split: "One service, two proxies",
};

function Catalogue() {
  const [search, setSearch] = useState("");
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = catalogue.filter(
    (e) => e.group !== "lessons" && words.every((w) => `${e.file} ${e.title}`.toLowerCase().includes(w)),
  );
  const groups = [...new Set(found.map((e) => e.group))];
  return (
    <>
      <h2>Scenarios</h2>
      <input
        type="search"
        aria-label="Search scenarios"
        placeholder="Search scenarios"
        value={search}
        data-testid="catalogue-search"
        onInput={(e) => setSearch(e.currentTarget.value)}
      />
      <div class="catalogue" data-testid="catalogue">
        {groups.map((g) => (
          <section key={g} class={g === "basic" ? "first" : undefined}>
            <h3>{GROUPS[g] ?? g}</h3>
            <ul>
              {found
                .filter((e) => e.group === g)
                .map((e) => (
                  <li key={e.file}>
                    <button
                      type="button"
                      class="entry"
                      data-file={e.file}
                      onClick={() => void store.open(catalogueSource(e))}
                    >
                      {e.title}
                    </button>
                  </li>
                ))}
            </ul>
          </section>
        ))}
        {found.length === 0 ? <p class="muted">No scenario has these words.</p> : null}
      </div>
    </>
  );
}
