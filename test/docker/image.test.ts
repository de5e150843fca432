/** The image of the docker lab's hosts: what is in it, what its commands say, and what is refused. */

import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { docker, tryDocker } from "../../src/lab/docker/cli.ts";
import { debootstrapImage, IMAGE_DIR, listImages, removeImage } from "../../src/lab/docker/image.ts";
import { withTools } from "../../src/lab/docker/tools.ts";
import { EXIT_HEADER, unpackWords } from "../../src/lab/live/protocol.ts";
import { COMMANDS } from "../../src/scenario/commands.ts";
import { describeDocker } from "./require.ts";

const CALL = join(IMAGE_DIR, "guelab-call");
/** What install.sh makes names of. */
const names = (readFileSync(join(IMAGE_DIR, "install.sh"), "utf8").match(/for name in([^;]*?)\ndo/)?.[1] ?? "")
  .split(/[\s\\]+/)
  .filter(Boolean);

it("has the demo's commands on the PATH, each known to the language", () => {
  const demo = COMMANDS.map((c) => c.name).filter((n) => /^(pfc|port|gue|egw|http)_|^udp_/.test(n));
  expect(names.sort()).toEqual(demo.sort());
});

describe("a command inside a container", () => {
  let dir: string;
  let socket: string;
  let got: { url?: string; words: string[] };
  let answer: { code?: string; trailer?: string; text: string };
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      got = { url: request.url, words: unpackWords(body) };
      if (answer.code !== undefined) response.setHeader(EXIT_HEADER, answer.code);
      if (answer.trailer !== undefined) response.setHeader("Trailer", EXIT_HEADER);
      response.write(answer.text);
      if (answer.trailer !== undefined) response.addTrailers({ [EXIT_HEADER]: answer.trailer });
      response.end();
    });
  });
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "guelab-call-"));
    socket = join(dir, "host.sock");
    for (const name of ["pfc_add", "pfc_list.sh"]) symlinkSync(CALL, join(dir, name));
    await new Promise<void>((resolve) => server.listen(socket, resolve));
  });
  afterAll(() => {
    server.close();
    rmSync(dir, { recursive: true });
  });

  async function call(name: string, args: string[], at = socket) {
    const child = spawn(join(dir, name), args, { env: { PATH: process.env.PATH, GUELAB_SOCKET: at } });
    const out = { stdout: "", stderr: "", status: -1 };
    for (const stream of ["stdout", "stderr"] as const)
      child[stream].setEncoding("utf8").on("data", (text: string) => {
        out[stream] += text;
      });
    out.status = await new Promise((resolve) => child.on("close", (status) => resolve(status ?? -1)));
    return out;
  }

  it("hands its words over as they are, prints the answer and ends as the lab says", async () => {
    answer = { code: "1", text: "port 5000\nX-Exit-Code: 9\n" };
    const words = ["-p", "eth1", "a b", "$(touch x)", "`id`", "", "'\"\\", "*"];
    expect(await call("pfc_add", words)).toEqual({ stdout: answer.text, stderr: "", status: 1 });
    expect(got).toEqual({ url: "/command", words: ["pfc_add", ...words] });
  });

  it("takes the exit code from a trailer as well, and its own name without .sh", async () => {
    answer = { trailer: "0", text: "one\ntwo" };
    expect(await call("pfc_list.sh", [])).toEqual({ stdout: "one\ntwo", stderr: "", status: 0 });
    expect(got.words).toEqual(["pfc_list"]);
  });

  it("says what to do where no live lab listens, or it does not answer", async () => {
    const alone = await call("pfc_add", [], join(dir, "other.sock"));
    expect(alone).toMatchObject({ status: 2, stdout: "" });
    expect(alone.stderr).toContain("guelab topo_setup");
    answer = { text: "hm" };
    expect(await call("pfc_add", [])).toMatchObject({ status: 2, stdout: "hm" });
  });
});

describeDocker("the image", () => {
  it("has the tools, the names and what it says of itself", () => {
    const tools = ["ip", "iptables", "tcpdump", "curl", "bpftool", "ping", "nsenter", "setpriv", ...names];
    const check = `for t in ${tools.join(" ")}; do command -v $t >/dev/null || echo missing $t; done; busybox --list | grep -x httpd`;
    expect(docker(["run", "--rm", "--network", "none", "guelab", "sh", "-c", check])).toBe("httpd\n");
    const lost = tryDocker(["run", "--rm", "--network", "none", "guelab", "pfc_list", "eth1"]);
    expect(lost).toMatchObject({ status: 2, stdout: "" });
    const config = JSON.parse(docker(["image", "inspect", "--format", "{{json .Config}}", "guelab"]));
    expect(config).toMatchObject({ Cmd: ["sleep", "infinity"], Labels: { "guelab.image": "1" } });
    expect(config.Env).toContain("LC_ALL=C.UTF-8");
  });

  it("is listed, and removed by its name; an image of somebody else's is not", () => {
    docker(["tag", "guelab", "guelab:second"]);
    expect(listImages().map((i) => i.name)).toEqual(["guelab:latest", "guelab:second"]);
    removeImage("guelab:second");
    expect(listImages().map((i) => i.name)).toEqual(["guelab:latest"]);
    expect(() => removeImage("guelab:second")).toThrow(expect.objectContaining({ code: "ERR_NO_IMAGE" }));
    docker(["import", "/dev/null", "other"]);
    expect(() => removeImage("other")).toThrow(expect.objectContaining({ code: "ERR_IMAGE_OTHER" }));
  });

  it("leaves nothing where the mirror is not there", async () => {
    const left = () => readdirSync(tmpdir()).filter((f) => f.startsWith("guelab-image-"));
    const before = left();
    const said: string[] = [];
    const build = debootstrapImage("guelab:none", (text) => said.push(text), { mirror: "http://127.0.0.1:9/debian" });
    await expect(build).rejects.toMatchObject({
      code: "ERR_IMAGE_BUILD",
      hint: expect.stringContaining("127.0.0.1:9"),
    });
    expect(left()).toEqual(before);
    await expect(debootstrapImage("--privileged", () => {})).rejects.toMatchObject({ code: "ERR_IMAGE_NAME" });
    await expect(debootstrapImage("guelab", () => {}, { suite: "--x" })).rejects.toMatchObject({
      code: "ERR_BAD_ARGUMENT",
    });
  });

  it("names a tool that is not installed", async () => {
    const missing = withTools(
      () => {},
      (start) => start("unshare", ["--mount", "guelab-no-such-tool"]),
    );
    await expect(missing).rejects.toMatchObject({
      code: "ERR_NO_PROGRAM",
      message: expect.stringContaining("guelab-no-such-tool"),
    });
  });
});
