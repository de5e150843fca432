/** The text editor: CodeMirror with YAML colours, completion, and mistakes marked where they are. */
import { autocompletion, type Completion, type CompletionContext, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { indentUnit, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, linter, lintGutter } from "@codemirror/lint";
import { EditorState, type Text } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";
import { useEffect, useRef } from "preact/hooks";
import type { LabError } from "../../../src/errors.ts";
import { topologyContext } from "../../../src/scenario/topology-context.ts";
import { suggestYaml } from "./complete-yaml.ts";
import * as draft from "./draft.ts";

/** Time after the last key before the text is read, ms. */
const SETTLE_MS = 300;

/** Each file's editor as it was left: undo, cursor and scrolling. */
const left = new Map<string, EditorState>();

export function Editor({ file, label }: { file: string; label: string }) {
  const host = useRef<HTMLDivElement>(null);
  const name = draft.shown.value;
  const now = name === "" ? draft.text.value : (draft.topologies.value[name] ?? "");
  const view = useRef<EditorView | null>(null);
  useEffect(() => {
    if (!host.current) return;
    const key = `${file}\n${name}`;
    const before = left.get(key);
    const same = before?.doc.toString() === now;
    const state = same && before ? before : makeState(now, name, label);
    const made = new EditorView({ state, parent: host.current });
    view.current = made;
    return () => {
      left.set(key, made.state);
      made.destroy();
      view.current = null;
    };
  }, [file, name, label]);
  // Reset, undo of a change, or a run that was opened elsewhere: the text comes from outside.
  useEffect(() => {
    const doc = view.current?.state.doc;
    if (view.current && doc && doc.toString() !== now)
      view.current.dispatch({ changes: { from: 0, to: doc.length, insert: now } });
  }, [now]);
  return <div class="editor" ref={host} data-testid="editor" />;
}

function makeState(text: string, name: string, label: string): EditorState {
  const scenario = name === "";
  return EditorState.create({
    doc: text,
    extensions: [
      lineNumbers(),
      history(),
      drawSelection(),
      highlightActiveLine(),
      indentUnit.of("  "),
      scenario ? [yaml(), syntaxHighlighting(classHighlighter)] : [],
      scenario ? autocompletion({ override: [complete], icons: false }) : [],
      linter((view) => diagnostics(view.state.doc, name), { delay: SETTLE_MS }),
      lintGutter(),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) settle(name, update.state.doc);
      }),
      EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
      keymap.of([
        { key: "Mod-Enter", run: runNow, preventDefault: true },
        ...completionKeymap,
        ...defaultKeymap,
        ...historyKeymap,
        // Escape, then Tab leaves the editor: the keyboard is not trapped (WCAG 2.1.2).
        indentWithTab,
      ]),
      EditorView.lineWrapping,
    ],
  });
}

let timer: ReturnType<typeof setTimeout> | undefined;
let pending: (() => void) | undefined;

/** Gives the text to the draft once typing pauses. */
function settle(name: string, doc: Text): void {
  clearTimeout(timer);
  pending = () => {
    pending = undefined;
    const text = doc.toString();
    if (name === "") draft.text.value = text;
    else draft.topologies.value = { ...draft.topologies.value, [name]: text };
  };
  timer = setTimeout(pending, SETTLE_MS);
}

/** Takes what was typed at once: a run must not miss the last keys. */
export function flush(): void {
  clearTimeout(timer);
  pending?.();
}

function runNow(): boolean {
  flush();
  draft.run();
  return true;
}

function complete(context: CompletionContext) {
  const before = context.state.sliceDoc(0, context.pos);
  const topology = draft.known.value?.topology;
  const found = suggestYaml(
    before,
    topology ? topologyContext(topology) : {},
    Object.keys(draft.topologies.value).filter((n) => n.endsWith(".cfg")),
  );
  if (!found || (found.from === context.pos && !context.explicit && !/[\s{-]$/.test(before.slice(-1)))) return null;
  const options = found.options.map(
    (o): Completion => ({
      label: o.label,
      detail: o.kind === "key" ? undefined : o.kind,
      info: o.info,
      apply: o.kind === "key" ? `${o.label}: ` : o.label,
    }),
  );
  return options.length > 0 ? { from: found.from, options, validFor: /^[\w.$/-]*$/ } : null;
}

function diagnostics(doc: Text, name: string): Diagnostic[] {
  flush();
  const { problem } = draft.checked.value;
  return problem ? mark(doc, name, problem) : [];
}

/** The word at an error's place; nothing where it is in another file. */
function mark(doc: Text, name: string, problem: LabError): Diagnostic[] {
  const place = problem.position;
  const here = name === "" ? place?.file === undefined || !place.file.endsWith(".cfg") : place?.file === name;
  if (!here) return [];
  const line = doc.line(Math.min(Math.max(1, place?.line ?? 1), doc.lines));
  const from = Math.min(line.from + Math.max(0, (place?.column ?? 1) - 1), line.to);
  const word = /^[^\s,}\]]+/.exec(doc.sliceString(from, line.to))?.[0].length ?? 0;
  const to = Math.min(line.to, from + Math.max(1, word));
  const message = problem.hint ? `${problem.message}\n${problem.hint}` : problem.message;
  return [
    { from: from === to ? Math.max(line.from, from - 1) : from, to, severity: "error", message, source: problem.code },
  ];
}
