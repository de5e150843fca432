/** What if: changes to the run with undo, the scenario's text to edit, and what to take along - a link, the packets, the file. */
import { useId } from "preact/hooks";
import { downloadPcapng, downloadScenario } from "../share.ts";
import * as store from "../store.ts";
import { CopyLink, tried } from "../ui/CopyLink.tsx";
import { Controls, DragGhost } from "./Controls.tsx";
import * as draft from "./draft.ts";
import { Editor, flush } from "./Editor.tsx";
import "./whatif.css";

export function WhatIf() {
  const source = store.scenario.value;
  if (!source)
    return (
      <div class="whatif" data-testid="whatif">
        <p class="muted">This was recorded, not run here: it can be looked at, not changed.</p>
        <Take />
      </div>
    );
  return (
    <div class="whatif" data-testid="whatif">
      <Changes />
      <Controls />
      <EditorPart file={source.file} />
      <Take />
      <DragGhost />
    </div>
  );
}

function Changes() {
  const changes = draft.changes.value;
  const done = store.info.value?.changes ?? [];
  if (changes.length === 0 && !draft.differs.value && store.info.value === undefined) return null;
  if (changes.length === 0 && !draft.differs.value)
    return <p class="muted">Change something, and the scenario runs again at once.</p>;
  return (
    <section class="changes-part" aria-label="Changes">
      {changes.length > 0 ? (
        <ol class="change-list" data-testid="changes">
          {changes.map((change, i) => (
            <li key={i}>
              <span>{done.length === changes.length ? done[i] : draft.words(change)}</span>
              <button
                type="button"
                class="plain"
                aria-label={`Undo: ${draft.words(change)}`}
                data-testid={`undo-${i}`}
                onClick={() => {
                  flush();
                  draft.undo(i);
                }}
              >
                Undo
              </button>
            </li>
          ))}
        </ol>
      ) : null}
      <div class="line">
        {changes.length > 0 ? (
          <button type="button" data-testid="write-down" onClick={draft.writeDown}>
            Write into the text
          </button>
        ) : null}
        <button type="button" data-testid="reset" onClick={draft.reset}>
          Back to the original
        </button>
      </div>
    </section>
  );
}

function EditorPart({ file }: { file: string }) {
  const id = useId();
  const names = ["", ...draft.topologyNames.value];
  const { problem } = draft.checked.value;
  const place = problem?.position;
  const shown = names.includes(draft.shown.value) ? draft.shown.value : "";
  const other = place?.file.endsWith(".cfg") ? place.file : "";
  return (
    <section class="editor-part" aria-labelledby={id}>
      <div class="line editor-head">
        <h3 id={id}>Text</h3>
        <div class="line" role="group" aria-label="File">
          {names.map((name) => (
            <button
              key={name}
              type="button"
              class="chip"
              aria-pressed={name === shown}
              data-testid={name === "" ? "file-scenario" : "file-topology"}
              onClick={() => {
                flush();
                draft.shown.value = name;
              }}
            >
              {name === "" ? "Scenario" : name}
            </button>
          ))}
        </div>
        <button
          type="button"
          class={draft.edited.value ? "primary" : undefined}
          data-testid="run"
          disabled={problem !== undefined}
          title="Run (Ctrl+Enter)"
          onClick={() => {
            flush();
            draft.run();
          }}
        >
          Run again
        </button>
      </div>
      <Editor file={file} label={shown === "" ? "Scenario" : `Topology ${shown}`} />
      <div role="status" data-testid="problem" class={problem ? "problem" : undefined}>
        {problem ? (
          <>
            <p>
              {place ? (
                <span class="mono">
                  {other ? `${other}:` : ""}
                  {place.line}:{place.column}{" "}
                </span>
              ) : null}
              {problem.message}
            </p>
            {problem.hint ? <p class="small">{problem.hint}</p> : null}
            {other && other !== shown && names.includes(other) ? (
              <button
                type="button"
                onClick={() => {
                  draft.shown.value = other;
                }}
              >
                Show {other}
              </button>
            ) : null}
          </>
        ) : null}
      </div>
    </section>
  );
}

function Take() {
  const isScenario = store.scenario.value !== undefined;
  return (
    <section class="take" aria-label="Take along">
      <h3>Take along</h3>
      <div class="line">
        {isScenario ? (
          <>
            <CopyLink label="Copy a link" testid="copy-link" />
            <button type="button" data-testid="download-scenario" onClick={downloadScenario}>
              Download the scenario
            </button>
          </>
        ) : null}
        {store.info.value ? (
          <button type="button" data-testid="download-pcapng" onClick={() => void tried(downloadPcapng())}>
            Download the packets{store.filter.value ? " that the filter shows" : ""} (pcapng)
          </button>
        ) : null}
      </div>
    </section>
  );
}
