/**
 * `--html FILE`: the built page with a document in it, in one file that needs no other and no network. What the document
 * holds is data: it stands in an element that no browser runs, and no text in it can end that element.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../errors.ts";
import { DOCUMENT_ID, type ReportDocument } from "../replay/document.ts";
import { WEB } from "./page-server.ts";
import { checkWritable, writeWhole } from "./write.ts";

/** The page in one file, as scripts/build-web.mjs leaves it. */
const TEMPLATE = join(WEB, "report.html");
const SLOT = `<script type="application/json" id="${DOCUMENT_ID}"></script>`;

/**
 * Throws now what `writeHtmlReport` would throw after a long run; and where `path` is a scenario's (.yaml), which no report
 * is written over.
 */
export function checkHtmlReport(path: string): void {
  if (/\.ya?ml$/i.test(path))
    throw new LabError("ERR_BAD_ARGUMENT", `--html would write over the scenario ${path}`, {
      hint: "Name the file of the report behind it: --html report.html",
    });
  if (path === "-")
    throw new LabError("ERR_BAD_ARGUMENT", "--html needs the name of a file", {
      hint: "For example: --html report.html",
    });
  readTemplate();
  checkWritable(path);
}

/** Writes a report file, whole or not at all. Throws LabError ERR_PAGE_NOT_BUILT and those of `writeWhole`. */
export function writeHtmlReport(path: string, document: ReportDocument): void {
  writeWhole(path, htmlReport(readTemplate(), document));
}

/** The page with the document in it. */
export function htmlReport(template: string, document: ReportDocument): string {
  const at = template.indexOf(SLOT) + SLOT.indexOf("</script>");
  const title = document.entries.length === 1 ? document.entries[0].title : document.command;
  return (template.slice(0, at) + scriptJson(document) + template.slice(at)).replace(
    /<title>[^<]*<\/title>/,
    () => `<title>${escapeText(title)} - guelab</title>`,
  );
}

/** JSON that can stand inside a script element: nothing in it ends the element or begins a comment. */
export function scriptJson(value: unknown): string {
  const text = JSON.stringify(value, function (this: Record<string, unknown>, key, plain) {
    // `plain` is what a Buffer makes of itself.
    const own = this[key];
    return own instanceof Uint8Array ? Buffer.from(own).toString("base64") : plain;
  });
  return text.replace(/[<\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const escapeText = (text: string): string => text.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);

function readTemplate(): string {
  if (!existsSync(TEMPLATE))
    throw new LabError("ERR_PAGE_NOT_BUILT", `the page is not built: there is no ${TEMPLATE}`, {
      hint: "Run npm run build.",
    });
  return readFileSync(TEMPLATE, "utf8");
}
