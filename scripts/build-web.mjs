/**
 * Builds the teaching page into dist/web: index.html with its assets for `guelab serve`, and report.html, the same page in
 * one file, which `--html` fills in with a run (src/cli/html.ts). The same sources give the same bytes.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const out = join(root, "dist", "web");

/** What must not stand inside a script element; the escape means the same in a string and in a pattern. */
const inScript = (text) => text.replace(/<(?=\/script|!--)/gi, "\\x3C");
const inStyle = (text) => text.replace(/<(?=\/style)/gi, "\\3C ");
const sha256 = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** Replaces the one place that matches. */
function put(html, pattern, text) {
  const found = html.match(new RegExp(pattern, "g")) ?? [];
  if (found.length !== 1) throw new Error(`index.html has ${found.length} places like ${pattern}, not one`);
  return html.replace(pattern, () => text);
}

/** The page with its script and its style sheet inside: it asks for no other file, and its policy allows none. */
function single() {
  const read = (path) => readFileSync(join(out, path), "utf8");
  const [, scriptPath] = /<script type="module"[^>]* src="([^"]+)"/.exec(read("index.html")) ?? [];
  const [, stylePath] = /<link rel="stylesheet"[^>]* href="([^"]+)"/.exec(read("index.html")) ?? [];
  const script = inScript(read(scriptPath));
  const policy = [
    "default-src 'none'",
    `script-src ${sha256(script)}`,
    "style-src 'unsafe-inline'",
    "img-src data: blob:",
    "worker-src blob:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  let html = read("index.html");
  html = put(html, /(?<=http-equiv="Content-Security-Policy"\s+content=")[^"]*/, policy);
  html = put(html, /<link rel="stylesheet"[^>]*>/, `<style>${inStyle(read(stylePath))}</style>`);
  html = put(html, /\s*<script type="module"[^>]*><\/script>/, "");
  const data = '<script type="application/json" id="guelab-document"></script>';
  return put(html, /<\/body>/, `${data}\n    <script type="module">${script}</script>\n  </body>`);
}

await build({
  configFile: join(root, "web", "vite.config.ts"),
  logLevel: "warn",
  build: { rolldownOptions: { checks: { pluginTimings: false } } },
});
const assets = readdirSync(join(out, "assets")).filter((name) => !/\.(js|css)$/.test(name));
if (assets.length > 0) throw new Error(`report.html would need ${assets.join(", ")} beside it`);
writeFileSync(join(out, "report.html"), single());
