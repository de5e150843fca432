/** The server of `guelab serve`: what it gives, what it refuses, and to whom. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type PageServer, servePage } from "../../src/cli/page-server.ts";
import { currentScenario } from "../../src/cli/serve.ts";

let folder: string;
let server: PageServer;
let scenario: string;
const yaml = (line: string): string => `title: t\ntopology: net/my.cfg\nsteps:\n  - do: ${line}\n`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "guelab-serve-"));
  mkdirSync(join(folder, "web", "assets"), { recursive: true });
  mkdirSync(join(folder, "net"));
  writeFileSync(join(folder, "web", "index.html"), "<p>page</p>");
  writeFileSync(join(folder, "web", "report.html"), "template");
  writeFileSync(join(folder, "web", "notes.txt"), "not for browsers");
  writeFileSync(join(folder, "web", "assets", "a.js"), "1");
  writeFileSync(join(folder, "secret.js"), "secret");
  symlinkSync(join(folder, "secret.js"), join(folder, "web", "link.js"));
  writeFileSync(join(folder, "net", "my.cfg"), ". more.cfg\n");
  writeFileSync(join(folder, "net", "more.cfg"), "NAME_PREFIX=my\n");
  scenario = join(folder, "s.yaml");
  writeFileSync(scenario, yaml("a"));
  server = await servePage(0, () => currentScenario(scenario), join(folder, "web"));
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Got {
  status: number;
  headers: Record<string, unknown>;
  body: string;
}

/** One request, its path as it stands: fetch would tidy it up. */
function get(path: string, options: { method?: string; host?: string } = {}): Promise<Got> {
  const { port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const headers = { host: options.host ?? `127.0.0.1:${port}` };
    const r = request({ host: "127.0.0.1", port, path, method: options.method ?? "GET", headers }, (res) => {
      const chunks: Buffer[] = [];
      res.on("data", (c) => chunks.push(c));
      res.on("end", () =>
        resolve({ status: res.statusCode as number, headers: res.headers, body: Buffer.concat(chunks).toString() }),
      );
    });
    r.on("error", reject);
    r.end();
  });
}

describe("files", () => {
  it.each([
    ["/", "text/html; charset=utf-8", "<p>page</p>"],
    ["/index.html?x#y", "text/html; charset=utf-8", "<p>page</p>"],
    ["/assets/a.js", "text/javascript; charset=utf-8", "1"],
  ])("gives %s", async (path, type, body) => {
    expect(await get(path)).toMatchObject({ status: 200, body, headers: { "content-type": type } });
  });

  it.each([
    "/report.html",
    "/notes.txt",
    "/link.js",
    "/secret.js",
    "/assets",
    "/assets/",
    "/../secret.js",
    "/assets/../../secret.js",
    "/%2e%2e/secret.js",
    "/..%2fsecret.js",
    "//etc/passwd",
    "/assets/..\\..\\secret.js",
    "/constructor",
    "/__proto__",
    "/index.html%00",
  ])("has no %s", async (path) => {
    const { status, body } = await get(path);
    expect(status).toBe(404);
    expect(body).not.toContain("secret");
  });

  it("says in every answer that nothing else is to be loaded, framed, guessed or kept", async () => {
    for (const path of ["/", "/assets/a.js", "/api/scenario", "/none"]) {
      const { headers } = await get(path);
      expect(headers["content-security-policy"]).toMatch(/^default-src 'none';.*frame-ancestors 'none'$/);
      expect(headers).toMatchObject({
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "cross-origin-resource-policy": "same-origin",
      });
      expect(headers).not.toHaveProperty("access-control-allow-origin");
    }
  });
});

describe("requests", () => {
  it("are answered at the server's own names", async () => {
    expect((await get("/", { host: `localhost:${new URL(server.url).port}` })).status).toBe(200);
  });

  it.each(["evil.example", "127.0.0.1", "127.0.0.1:1", "evil.example:80", "127.0.0.1.evil.example"])(
    "for the host %s are refused",
    async (host) => {
      const { status, body } = await get("/api/scenario", { host });
      expect(status).toBe(421);
      expect(body).not.toContain("title");
    },
  );

  it.each(["POST", "PUT", "DELETE", "OPTIONS"])("with %s are refused", async (method) => {
    expect(await get("/", { method })).toMatchObject({ status: 405, headers: { allow: "GET, HEAD" } });
  });

  it("with HEAD give the head alone", async () => {
    expect(await get("/", { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
  });
});

describe("/api/scenario", () => {
  afterEach(() => writeFileSync(scenario, yaml("a")));
  const answer = async () => JSON.parse((await get("/api/scenario")).body);

  it("gives the text with the topology files, what they include under its path from the scenario", async () => {
    expect((await answer()).scenario).toEqual({
      kind: "scenario",
      file: scenario,
      text: yaml("a"),
      topologies: { "net/my.cfg": ". more.cfg\n", "net/more.cfg": "NAME_PREFIX=my\n" },
    });
  });

  it("reads the file again each time, and says what is wrong with it and where", async () => {
    writeFileSync(scenario, "title: t\nsteps: [\n");
    const { scenario: read, error } = await answer();
    expect(read.text).toBe("title: t\nsteps: [\n");
    expect(error).toMatchObject({ code: "ERR_YAML_SYNTAX", position: { file: scenario, line: 3 } });
  });

  it("says that the file has gone", async () => {
    rmSync(scenario);
    expect(await answer()).toMatchObject({ scenario: null, error: { code: "ERR_FILE_NOT_FOUND" } });
  });
});

it("listens on loopback only, on a port that is free", async () => {
  expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
  const taken = Number(new URL(server.url).port);
  await expect(servePage(taken, () => ({ scenario: null }), join(folder, "web"))).rejects.toMatchObject({
    code: "ERR_PORT_IN_USE",
  });
  // The same port on another loopback address is free: the server took 127.0.0.1 alone.
  const other = createServer();
  await new Promise<void>((resolve, reject) => other.once("error", reject).listen(taken, "127.0.0.2", resolve));
  await new Promise((resolve) => other.close(resolve));
});

it("needs a built page", async () => {
  await expect(servePage(0, () => ({ scenario: null }), join(folder, "net"))).rejects.toMatchObject({
    code: "ERR_PAGE_NOT_BUILT",
  });
});
