/** One HTTP request by curl(1) inside a namespace, with the values that the simulated client gives. */
import { spawn } from "node:child_process";
import type { HttpError, HttpResult } from "../../sim/http-client.ts";
import type { HasherFactory } from "../../sim/sha256.ts";
import type { ByteSource } from "../../sim/tcp/send-queue.ts";
import { formatIpv4 } from "../../wire/ipv4.ts";
import type { Namespace } from "./sys.ts";
import { connectionClosed } from "./tcp-sockets.ts";

export interface CurlRequest {
  ip: number;
  port: number;
  path: string;
  method?: string;
  body?: ByteSource;
  localPort?: number;
  timeoutMs: number;
  hasher: HasherFactory;
}

/** Largest body that is given as text. */
const TEXT_MAX = 65_536;
const CHUNK = 65_536;
/** A server that does not close its side of a connection that is closed is not waited for. */
const CLOSE_MS = 1000;
/** Marks curl's own summary among what -v prints. */
const SUMMARY = "guelab-summary";

/** curl's words for what connect(2) or recv(2) said. */
const WORDS: readonly [RegExp, HttpError][] = [
  [/Connection refused/, "ECONNREFUSED"],
  [/No route to host/, "EHOSTUNREACH"],
  [/Network is unreachable/, "ENETUNREACH"],
  [/Connection reset/, "ECONNRESET"],
  [/Address already in use/, "EADDRINUSE"],
  [/timed out/i, "ETIMEDOUT"],
];

export async function curl(ns: Namespace, request: CurlRequest): Promise<HttpResult> {
  const started = performance.now();
  const args = ["--pdeathsig", "KILL", "curl", ...curlArgs(request)];
  const child = ns.enter(() => spawn(...ns.command("setpriv", args), { env: { PATH: process.env.PATH, LC_ALL: "C" } }));
  ns.children.add(child);
  const hasher = request.hasher();
  const parts: Buffer[] = [];
  let size = 0;
  let log = "";
  child.stdout.on("data", (chunk: Buffer) => {
    hasher.update(chunk, 0, chunk.length);
    size += chunk.length;
    if (size <= TEXT_MAX) parts.push(chunk);
  });
  child.stderr.on("data", (chunk: Buffer) => {
    log += chunk;
  });
  // A server that answers before it has read all closes the pipe.
  child.stdin.on("error", () => {});
  if (request.body === undefined) child.stdin.end();
  else feed(request.body, child.stdin);
  const code = await new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve(status ?? 128));
  }).finally(() => ns.children.delete(child));
  const timeNs = Math.round((performance.now() - started) * 1e6);
  const [, status = "0", localPort = "0"] = new RegExp(`${SUMMARY} (\\d+) (\\d+)`).exec(log) ?? [];
  if (code === 0) await connectionClosed(ns, Number(localPort), CLOSE_MS);
  const reason = [...log.matchAll(/^< HTTP\/1\.1 \d{3} ?(.*?)\r?$/gm)].at(-1)?.[1] ?? "";
  return {
    status: Number(status),
    reason,
    headers: {},
    body: size <= TEXT_MAX ? Buffer.concat(parts).toString() : undefined,
    size,
    sha256: hasher.hex(),
    timeNs,
    localPort: Number(localPort),
    error: code === 0 ? undefined : errorOf(code, log),
  };
}

function curlArgs(request: CurlRequest): string[] {
  const args = ["--disable", "--silent", "--verbose", "--noproxy", "*", "--http1.1", "--max-redirs", "0"];
  args.push("--max-time", String(request.timeoutMs / 1000));
  args.push("--write-out", `%{stderr}\n${SUMMARY} %{http_code} %{local_port}\n`);
  if (request.method === "HEAD") args.push("--head", "--output", "/dev/null");
  else if (request.method !== undefined) args.push("--request", request.method);
  if (request.body !== undefined) args.push("--data-binary", "@-");
  if (request.localPort !== undefined) args.push("--local-port", String(request.localPort));
  args.push(`http://${formatIpv4(request.ip)}:${request.port}${request.path}`);
  return args;
}

/** curl's exit codes are in libcurl-errors(3). */
function errorOf(code: number, log: string): HttpError {
  if (code === 28) return "ETIMEDOUT";
  return WORDS.find(([words]) => words.test(log))?.[1] ?? "EPROTO";
}

function feed(source: ByteSource, pipe: NodeJS.WritableStream): void {
  for (let at = 0; at < source.length; at += CHUNK) {
    const n = Math.min(CHUNK, source.length - at);
    const chunk = new Uint8Array(n);
    source.read(at, chunk, 0, n);
    pipe.write(chunk);
  }
  pipe.end();
}
