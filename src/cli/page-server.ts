/**
 * The HTTP server behind `guelab serve`: the built page, and the scenario that it opens with. It listens on loopback only.
 *
 * Another page in the same browser must not read the scenario: no answer allows another origin (CORS), and a request whose
 * Host is not this server's own is refused, which is what a name rebound to 127.0.0.1 would send. Files are answered from
 * memory by the names that were in the folder at the start, so no request names a path of the disk.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { LabError } from "../errors.ts";
import type { OpenSource } from "../replay/protocol.ts";
import type { ErrorView } from "../replay/types.ts";

/** The built page; src/cli and dist/bin lie equally deep. */
export const WEB = fileURLToPath(new URL("../../dist/web/", import.meta.url));
const HOST = "127.0.0.1";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".json": "application/json; charset=utf-8",
};

/** The page's own policy (web/index.html) with what only a header can say. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  // CodeMirror makes its style sheets when it starts.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "worker-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": POLICY,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/** What stands at /api/scenario, made anew at each request. */
export interface PageScenario {
  scenario: OpenSource | null;
  error?: LabError;
}

export interface PageServer {
  /** Where the page is: `http://127.0.0.1:PORT/`. */
  url: string;
  /** Ends every connection and stops. */
  close(): Promise<void>;
}

/**
 * Serves the page in `folder`. `port` 0 is any free one. Throws LabError: ERR_PAGE_NOT_BUILT, ERR_PORT_IN_USE,
 * ERR_PORT_REFUSED.
 */
export async function servePage(port: number, current: () => PageScenario, folder: string = WEB): Promise<PageServer> {
  const files = readPage(folder);
  const server = createServer((request, response) => {
    const { status, type, body, headers } = answer(request, files, current);
    response.writeHead(status, { ...HEADERS, "content-type": type, ...headers });
    response.end(request.method === "HEAD" ? undefined : body);
  });
  await listen(server, port);
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${HOST}:${bound}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Every file of the page by its URL path. The report's template is none of them. */
function readPage(folder: string): ReadonlyMap<string, { type: string; bytes: Uint8Array }> {
  if (!existsSync(join(folder, "index.html")))
    throw new LabError("ERR_PAGE_NOT_BUILT", `the page is not built: there is no ${join(folder, "index.html")}`, {
      hint: "Run npm run build.",
    });
  const files = new Map<string, { type: string; bytes: Uint8Array }>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const type = TYPES[extname(entry.name)];
    if (!entry.isFile() || type === undefined || entry.name === "report.html") continue;
    const path = join(entry.parentPath, entry.name);
    files.set(`/${path.slice(folder.length).replaceAll("\\", "/").replace(/^\//, "")}`, {
      type,
      bytes: readFileSync(path),
    });
  }
  files.set("/", files.get("/index.html")!);
  return files;
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (err: NodeJS.ErrnoException) => {
      const taken = err.code === "EADDRINUSE";
      const message = taken ? `port ${port} is in use` : `cannot listen on port ${port} (${err.code})`;
      const hint = "Choose another with --port, or leave it out for any free one.";
      reject(new LabError(taken ? "ERR_PORT_IN_USE" : "ERR_PORT_REFUSED", message, { hint, cause: err }));
    });
    server.listen(port, HOST, resolve);
  });
}

interface Answer {
  status: number;
  type: string;
  body: Uint8Array | string;
  headers?: Record<string, string>;
}

function answer(request: IncomingMessage, files: ReturnType<typeof readPage>, current: () => PageScenario): Answer {
  const refuse = (status: number, text: string, headers?: Record<string, string>): Answer => {
    return { status, type: "text/plain; charset=utf-8", body: `${text}\n`, headers };
  };
  // Browsers leave HTTP's own port out.
  const port = request.socket.localPort === 80 ? "" : `:${request.socket.localPort}`;
  if (request.headers.host !== `${HOST}${port}` && request.headers.host !== `localhost${port}`)
    return refuse(421, "This server answers at its own address only.");
  if (request.method !== "GET" && request.method !== "HEAD")
    return refuse(405, "Only GET and HEAD.", { allow: "GET, HEAD" });
  const path = (request.url ?? "/").replace(/[?#].*$/s, "");
  if (path === "/api/scenario") return { status: 200, type: TYPES[".json"], body: scenarioJson(current) };
  const file = files.get(path);
  if (file === undefined) return refuse(404, "There is no such page.");
  return { status: 200, type: file.type, body: file.bytes };
}

/** A mistake in the scenario is no failure of the request: the answer is 200, and a browser has nothing to complain of. */
function scenarioJson(current: () => PageScenario): string {
  try {
    const { scenario, error } = current();
    return JSON.stringify({ scenario, error: error && errorView(error) });
  } catch (err) {
    if (!(err instanceof LabError)) throw err;
    return JSON.stringify({ scenario: null, error: errorView(err) });
  }
}

const errorView = ({ code, message, position, hint }: LabError): ErrorView => ({ code, message, position, hint });
