/** The page: a header, and below it what the phase asks for - the chooser, a run under way, an error, or the recording. */
import type { Signal } from "@preact/signals";
import type { RunReport } from "../../src/scenario/report-types.ts";
import { catalogue, catalogueSource } from "./catalogue.ts";
import { Lessons } from "./lessons/Lessons.tsx";
import { Chooser } from "./panels/Chooser.tsx";
import { Decision } from "./panels/Decision.tsx";
import { EventList } from "./panels/EventList.tsx";
import { Help, helpOpen } from "./panels/Help.tsx";
import { hasTopology, Network } from "./panels/Network.tsx";
import { Packet } from "./panels/Packet.tsx";
import { SameRun } from "./panels/SameRun.tsx";
import { SourceDialog } from "./panels/SourceDialog.tsx";
import { Steps } from "./panels/Steps.tsx";
import { Tables } from "./panels/Tables.tsx";
import { Timeline } from "./panels/Timeline.tsx";
import { Toolbar } from "./panels/Toolbar.tsx";
import { labWords, reportDocument, reportEntry, statusWords } from "./report.ts";
import * as store from "./store.ts";
import { count, plural, seconds } from "./ui/format.ts";
import { Tabs } from "./ui/Tabs.tsx";
import { theme, toggleTheme } from "./ui/theme.ts";
import { WhatIf } from "./whatif/WhatIf.tsx";

export function App() {
  const phase = store.phase.value;
  // What is being edited stays in place while it runs again, and when it does not run.
  const shows =
    phase !== "choosing" &&
    phase !== "starting" &&
    (store.info.value !== undefined || (phase === "failed" && store.scenario.value !== undefined));
  return (
    <div class="app" data-phase={phase} data-testid="app">
      <Header />
      {shows ? <Workspace /> : null}
      {phase === "opening" ? <Opening inPlace={shows} /> : null}
      {phase === "failed" && !shows ? <Failed /> : null}
      {phase === "choosing" ? <Chooser /> : null}
      <SourceDialog />
      <Help />
      <div class={store.notice.value ? "notice on" : "notice"} role="status" data-testid="notice">
        {store.notice.value}
      </div>
    </div>
  );
}

function Header() {
  const info = store.info.value;
  const open = store.phase.value !== "choosing" && store.phase.value !== "starting";
  const entry = reportEntry();
  const status = entry?.status ?? info?.report?.status;
  return (
    <header class="top">
      <button type="button" class="brand plain" onClick={store.close} title="All scenarios" data-testid="home">
        <svg width="20" height="20" viewBox="0 0 16 16" aria-hidden="true">
          <path d="M0.5 8h15M4 4.5h8v7H4z" />
        </svg>
        guelab
      </button>
      {open ? <Picker /> : null}
      {info && open ? (
        <div class="title">
          <h1 data-testid="title">{info.title}</h1>
          {status ? (
            <span class={`tag ${status === "failed" ? "drop" : "pass"}`} data-testid="status">
              {entry ? statusWords(entry) : status === "failed" ? "✕ failed" : "✓ passed"}
            </span>
          ) : null}
          {entry ? <span class="muted small">{labWords(entry)}</span> : null}
        </div>
      ) : (
        <span class="grow" />
      )}
      <button
        type="button"
        class="plain"
        aria-label={theme.value === "dark" ? "Light colours" : "Dark colours"}
        title={theme.value === "dark" ? "Light colours (t)" : "Dark colours (t)"}
        data-testid="theme"
        onClick={toggleTheme}
      >
        {theme.value === "dark" ? "☀" : "☾"}
      </button>
      <button
        type="button"
        class="plain"
        aria-label="Keys, marks and words"
        title="Keys, marks and words (?)"
        data-testid="help-button"
        onClick={() => {
          helpOpen.value = true;
        }}
      >
        ?
      </button>
    </header>
  );
}

/** Another scenario, or another run of the report. */
function Picker() {
  const report = reportDocument.value;
  if (report && report.entries.length < 2) return null;
  const file = store.source.value?.file;
  const groups = [...new Set(catalogue.map((e) => e.group))];
  const known = report
    ? report.entries.findIndex((e) => e.source === store.source.value)
    : catalogue.findIndex((e) => e.file === file);
  return (
    <select
      class="picker"
      aria-label={report ? "Run" : "Scenario"}
      data-testid="picker"
      value={String(known)}
      onChange={(e) => {
        const i = Number(e.currentTarget.value);
        void store.open(report ? report.entries[i].source : catalogueSource(catalogue[i]));
      }}
    >
      {known < 0 ? <option value="-1">{file?.split("/").pop() ?? "Choose a scenario"}</option> : null}
      {report
        ? report.entries.map((e, i) => (
            <option key={`${e.lab} ${e.title}`} value={String(i)}>
              {`${e.status === "failed" ? "✕" : "✓"} ${e.lab}: ${e.title}`}
            </option>
          ))
        : groups.map((g) => (
            <optgroup key={g} label={g}>
              {catalogue.map((e, i) =>
                e.group === g ? (
                  <option key={e.file} value={String(i)}>
                    {e.title}
                  </option>
                ) : null,
              )}
            </optgroup>
          ))}
    </select>
  );
}

function Workspace() {
  const failed = store.phase.value === "failed";
  const drawn = failed || hasTopology();
  const phone = !drawn && store.phoneTab.value === "network" ? "detail" : store.phoneTab.value;
  return (
    <>
      {failed ? null : (
        <>
          <Alerts />
          <section class="moving" aria-label="Time">
            <Toolbar />
            <Timeline />
          </section>
        </>
      )}
      <main class={`panels phone-${phone} side-${store.sideTab.value}${drawn ? "" : " no-network"}`} id="main">
        <Side />
        {failed ? (
          <section class="panel failed-panel" aria-label="Error">
            <Failed />
          </section>
        ) : (
          <>
            {drawn ? <Network /> : null}
            <EventList />
            <Detail />
          </>
        )}
      </main>
      <PhoneTabs />
    </>
  );
}

/** What must not be overlooked: failed expectations, an error of the run, a run cut short. */
function Alerts() {
  const info = store.info.value;
  const report = info?.report;
  const failed = info?.steps.filter((s) => s.status === "failed") ?? [];
  const first = failed[0];
  const check = first?.checks.find((c) => !c.ok);
  const failure = first?.failures[0];
  const entry = reportEntry();
  return (
    <>
      <SameRun />
      {info?.truncated ? (
        <p class="banner warn" role="alert" data-testid="truncated">
          {info.truncated.message}
        </p>
      ) : null}
      {entry?.lab === "sim" && entry.report && report && !sameOutcome(entry.report, report) ? (
        <p class="banner warn" role="alert" data-testid="other-outcome">
          This page's run of the scenario came to something else than the report says ({entry.report.status},{" "}
          {plural(entry.report.counts.packets, "packet")}): it was written by another version of guelab.
        </p>
      ) : null}
      {info?.source === "vector" && info.differs.length > 0 ? (
        <div class="banner bad" role="alert" data-testid="differs-banner">
          <span>
            ✕ Two data paths differ on {plural(info.differs.length, "packet")}
            {info.description ? <>: {info.description}</> : null}
          </span>
          <button type="button" onClick={() => void store.select(info.differs[0])}>
            Go there
          </button>
        </div>
      ) : null}
      {report?.error ? (
        <p class="banner bad" role="alert">
          {report.error.message} {report.error.hint}
        </p>
      ) : null}
      {first ? (
        <div class="banner bad" role="alert" data-testid="failed-banner">
          <span>
            ✕ Step {first.id}: <b>{check?.text ?? failure?.message ?? first.title}</b>
            {check ? (
              <>
                {" "}
                expected <code>{check.expected}</code>, actual <code>{check.actual}</code>
              </>
            ) : null}
            {failed.length > 1 ? ` (${failed.length - 1} more steps failed)` : ""}
          </span>
          {first.lastEvent >= 0 ? (
            <button type="button" onClick={() => void store.select(first.lastEvent)}>
              Go there
            </button>
          ) : null}
        </div>
      ) : null}
    </>
  );
}

/** The same sources give the same run; a report without a recording counts no packets. */
function sameOutcome(a: RunReport, b: RunReport): boolean {
  const packets = a.counts.packets === 0 || a.counts.packets === b.counts.packets;
  return a.status === b.status && a.timeNs === b.timeNs && a.counts.checks === b.counts.checks && packets;
}

/** Lessons are for learning, not for a report of what went wrong. */
const sideTabs = (): typeof SIDE => (reportDocument.value ? SIDE.filter((t) => t.id !== "lessons") : SIDE);

const SIDE: readonly { id: store.SideTab; label: string }[] = [
  { id: "steps", label: "Steps" },
  { id: "whatif", label: "What if" },
  { id: "lessons", label: "Lessons" },
];

function Side() {
  return (
    <section class="panel side" aria-label="Scenario">
      <Tabs label="Scenario" tabs={sideTabs()} selected={store.sideTab}>
        {store.sideTab.value === "lessons" ? <Lessons /> : store.sideTab.value === "whatif" ? <WhatIf /> : <Steps />}
      </Tabs>
    </section>
  );
}

const DETAIL: readonly { id: store.DetailTab; label: string }[] = [
  { id: "decision", label: "What happened" },
  { id: "packet", label: "Packet" },
  { id: "tables", label: "Tables" },
];

function Detail() {
  const tab = store.detailTab.value;
  return (
    <section
      class="panel detail"
      aria-label="The selected event"
      data-testid="detail"
      data-index={store.event.value?.index}
    >
      <Tabs label="The selected event" tabs={DETAIL} selected={store.detailTab}>
        {tab === "decision" ? <Decision /> : tab === "packet" ? <Packet /> : <Tables />}
      </Tabs>
    </section>
  );
}

const PHONE: readonly { id: store.PhoneTab; label: string }[] = [
  { id: "network", label: "Network" },
  { id: "packets", label: "Events" },
  { id: "detail", label: "Details" },
  { id: "side", label: "Scenario" },
];

/** Where nothing runs there are the error and the text to mend. */
const PHONE_FAILED: typeof PHONE = [
  { id: "network", label: "Error" },
  { id: "side", label: "Scenario" },
];

/** On a narrow screen one panel at a time; the rest of the page hides this row. */
function PhoneTabs() {
  const failed = store.phase.value === "failed";
  const tabs = failed ? PHONE_FAILED : PHONE.filter((t) => t.id !== "network" || hasTopology());
  return (
    <nav class="phone-tabs" aria-label="Panels">
      {tabs.map((t) => (
        <Pick key={t.id} tab={t} selected={store.phoneTab} />
      ))}
    </nav>
  );
}

function Pick(props: { tab: { id: store.PhoneTab; label: string }; selected: Signal<store.PhoneTab> }) {
  const { tab, selected } = props;
  return (
    <button
      type="button"
      aria-pressed={selected.value === tab.id}
      data-testid={`phone-${tab.id}`}
      onClick={() => {
        selected.value = tab.id;
      }}
    >
      {tab.label}
    </button>
  );
}

/** A run under way; in place of the page, or over it once it takes a while. */
function Opening({ inPlace }: { inPlace: boolean }) {
  const p = store.progress.value;
  const Tag = inPlace ? "div" : "main";
  return (
    <Tag class={inPlace ? "state over" : "state"} aria-busy="true" data-testid="opening">
      <h1>Running {store.source.value?.file}</h1>
      <p role="status">
        {p
          ? `${plural(p.events, "event")}, ${plural(p.packets, "packet")}, ${seconds(p.timeNs)} s`
          : "The simulator starts."}
        {p?.step ? ` Step ${p.step}.` : ""}
      </p>
      <progress aria-label="Running" />
      <button type="button" onClick={store.cancelOpen} data-testid="cancel">
        Cancel
      </button>
    </Tag>
  );
}

/** To the editor, which marks the place. */
function mend(): void {
  store.sideTab.value = "whatif";
  store.phoneTab.value = "side";
  requestAnimationFrame(() => document.querySelector<HTMLElement>(".editor [contenteditable]")?.focus());
}

function Failed() {
  const f = store.failure.value;
  const source = store.source.value;
  const line = f?.position?.line;
  const text = source && "text" in source ? source.text.split("\n") : [];
  return (
    <div class="state" data-testid="failed">
      <h1>This could not be opened</h1>
      <p role="alert">
        <b>{f?.message}</b>
      </p>
      {f?.hint ? <p>{f.hint}</p> : null}
      {f?.position ? (
        <p class="mono small">
          {f.position.file}:{f.position.line}:{f.position.column}
        </p>
      ) : null}
      {line !== undefined && text[line - 1] !== undefined && f?.position?.file === source?.file ? (
        <pre class="block">{`${count(line)} | ${text[line - 1]}`}</pre>
      ) : null}
      <p class="muted small">{f?.code}</p>
      <div class="group">
        {store.scenario.value ? (
          <button type="button" class="primary" data-testid="mend" onClick={mend}>
            Mend it in the text
          </button>
        ) : null}
        <button type="button" onClick={store.close}>
          All scenarios
        </button>
      </div>
    </div>
  );
}
