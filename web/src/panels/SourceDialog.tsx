/** The reference's and the C programs' source, bundled with the page and shown at the function that made a check. */
import { signal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { CodeLink } from "../../../src/replay/types.ts";
import { sources } from "../sources.ts";
import { Dialog } from "../ui/Dialog.tsx";

const shown = signal<CodeLink | undefined>(undefined);

export function openCode(link: CodeLink): void {
  shown.value = link;
}

/** First and last line, from 0, of the function's definition; undefined where the file does not define it. */
export function definition(lines: readonly string[], name: string): [number, number] | undefined {
  const word = new RegExp(`\\b${name.replace(/[^\w]/g, "\\$&")}\\b`);
  const starts = /^(export |const |function |static |int |SEC|\w[\w\s*]*\()/;
  const at = lines.findIndex((l) => word.test(l) && starts.test(l) && !/;\s*$/.test(l.replace(/=>.*$/, "")));
  if (at < 0) return undefined;
  let end = lines.findIndex((l, i) => i >= at && /^[}\])]/.test(l));
  if (/=>.*;\s*$/.test(lines[at]) || end < 0) end = at;
  // Its comment belongs to it.
  let start = at;
  while (start > 0 && /^(\/\*|\/\/| \*)/.test(lines[start - 1])) start--;
  return [start, end];
}

export function SourceDialog() {
  const link = shown.value;
  const found = useRef<HTMLDivElement>(null);
  const lines = useMemo(() => (link ? sources.get(link.file)?.split("\n") : undefined), [link]);
  const range = useMemo(() => (lines && link ? definition(lines, link.name) : undefined), [lines, link]);
  useEffect(() => found.current?.scrollIntoView({ block: "center" }), [link]);
  if (!link) return null;
  return (
    <Dialog
      title={`${link.file}: ${link.name}`}
      wide
      testid="source"
      onClose={() => {
        shown.value = undefined;
      }}
    >
      {lines ? (
        <div class="source mono" role="region" aria-label={link.file} tabIndex={0}>
          {lines.map((line, i) => {
            const inside = range !== undefined && i >= range[0] && i <= range[1];
            return (
              <div
                key={i}
                class={inside ? "src-line on" : "src-line"}
                ref={range && i === range[0] ? found : undefined}
              >
                <span class="src-no" aria-hidden="true">
                  {i + 1}
                </span>
                <span>{line || " "}</span>
              </div>
            );
          })}
        </div>
      ) : (
        <p>
          The page does not hold <code>{link.file}</code>; in the project it has the function <code>{link.name}</code>.
        </p>
      )}
    </Dialog>
  );
}
