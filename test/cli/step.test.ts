import { resolve } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { expect, it } from "vitest";
import { stepThrough } from "../../src/cli/step.ts";

const NODE2 = resolve(import.meta.dirname, "../../scenarios/basic/02-node2-behind-nat.yaml");
const WRONG_KEY = resolve(import.meta.dirname, "../../scenarios/security/01-wrong-key.yaml");

async function walk(file: string, ...commands: string[]): Promise<{ code: number; lines: string[]; text: string }> {
  const output = new PassThrough();
  const chunks: Buffer[] = [];
  output.on("data", (c: Buffer) => chunks.push(c));
  const input = commands.length === 0 ? Readable.from([]) : Readable.from([`${commands.join("\n")}\n`]);
  const code = await stepThrough(file, {}, { input, output });
  const text = Buffer.concat(chunks).toString();
  return { code, lines: text.split("\n"), text };
}

it("shows the encapsulation: the decision, 52 bytes more, the fields that changed", async () => {
  const { code, text } = await walk(NODE2, "f reason==PASS_ENCAP && host==egw", "n", "p");
  expect(code).toBe(0);
  expect(text).toMatch(/egw\/eth1 egress hook .*GUE 1\/200 .*pass PASS_ENCAP .*\+52 bytes/);
  expect(text).toMatch(
    /yes +The destination is a backend behind a tunnel +tcp 2\.2\.2\.2:4000 +tunnel 65736 .*egress\.ts:proxyPath/,
  );
  expect(text).toMatch(/=> +The packet is passed on +encapsulated/);
  expect(text).toContain("+ 52 bytes: bytes 14-65 of the frame after");
  expect(text).toMatch(/Before .* 172\.1\.0\.2:\d+ > 2\.2\.2\.2:4000 TCP SYN/);
  expect(text).toMatch(/After 126 bytes|After \d+ bytes {2}172\.1\.0\.3:5000 > 172\.1\.0\.5:6000 GUE/);
});

it("goes forward and back, to times, steps, hosts, drops and along a journey", async () => {
  const { text } = await walk(WRONG_KEY, "d", "b", "n", "t egw", "r 7", "h node1", "j", "J", "jj", "r 1ms", "s");
  const hits = text.match(/drop DROP_WRONG_KEY/g) ?? [];
  // At the drop, and again after one event back and forth.
  expect(hits.length).toBeGreaterThanOrEqual(2);
  expect(text).toMatch(/=> +The key is the service's +0x0{32}|=> +The key is the service's/);
  expect(text).toMatch(/egw VERIFY|VERIFY group and service/);
  expect(text).toContain("step 7 begins");
  expect(text).toMatch(/1 +passed +node1 udp_serve/);
});

it("says what is wrong with a line and goes on", async () => {
  const { code, text } = await walk(NODE2, "x", "h nobody", "r 99", "f host=", "f bogus==1", "n 0", "b", "q", "n");
  expect(code).toBe(0);
  for (const code of ["ERR_STEP_COMMAND", "ERR_HOST_UNKNOWN", "ERR_FILTER_SYNTAX"]) expect(text).toContain(code);
  expect(text).toContain("there is no step 99");
  expect(text).toContain("The run begins here.");
  // What stands behind q is not read.
  expect(text.match(/step> /g)).toHaveLength(8);
});

it("wants something to read", async () => {
  await expect(walk(NODE2)).rejects.toMatchObject({ code: "ERR_STEP_INPUT" });
});
