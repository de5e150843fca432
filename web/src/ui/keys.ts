/** The page's shortcuts (listed in panels/Help.tsx). They keep out of text fields, dialogs, and of what handles a key itself. */
import { helpOpen } from "../panels/Help.tsx";
import { togglePlay } from "../panels/Toolbar.tsx";
import * as store from "../store.ts";
import { toggleTheme } from "./theme.ts";

const detail = (tab: store.DetailTab): void => {
  store.detailTab.value = tab;
  store.phoneTab.value = "detail";
};

const KEYS: Record<string, () => unknown> = {
  ArrowRight: () => store.go({ to: "next" }),
  ArrowLeft: () => store.go({ to: "previous" }),
  j: () => store.go({ to: "next" }),
  k: () => store.go({ to: "previous" }),
  n: () => store.go({ to: "next-of-journey" }),
  p: () => store.go({ to: "previous-of-journey" }),
  d: () => store.go({ to: "next-drop" }),
  D: () => store.go({ to: "previous-drop" }),
  Home: () => store.go({ to: "first" }),
  End: () => store.go({ to: "last" }),
  " ": togglePlay,
  "1": () => detail("decision"),
  "2": () => detail("packet"),
  "3": () => detail("tables"),
};

/** Keys that work while nothing is open as well. */
const ALWAYS: Record<string, () => unknown> = {
  t: toggleTheme,
  "?": () => {
    helpOpen.value = true;
  },
};

/** What takes letters itself. */
const TYPING = "input, textarea, select, [contenteditable]:not([contenteditable='false']), dialog";
/** What a space or an arrow means something to. */
const OWN =
  "button, a, summary, [role='button'], [role='slider'], [role='tree'], [role='grid'], [role='listbox'], [role='region'], pre";

export function listenForKeys(): void {
  document.addEventListener("keydown", (e) => {
    if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey) return;
    const target = e.target instanceof Element ? e.target : document.body;
    if (target.closest(TYPING)) return;
    if (e.key === " " && target.closest(OWN)) return;
    if (e.key === "/" && store.phase.value === "ready") {
      store.phoneTab.value = "packets";
      e.preventDefault();
      requestAnimationFrame(() => document.getElementById("filter")?.focus());
      return;
    }
    const run = ALWAYS[e.key] ?? (store.phase.value === "ready" ? KEYS[e.key] : undefined);
    if (!run) return;
    e.preventDefault();
    void run();
  });
}
