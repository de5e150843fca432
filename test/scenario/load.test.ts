import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LabError } from "../../src/errors.ts";
import { loadScenario, loadTopology } from "../../src/scenario/load.ts";
import { MAX_YAML_CHARS } from "../../src/scenario/yaml-source.ts";
import { BASIC_CFG } from "../support/fake-lab.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "guelab-load-"));
  writeFileSync(join(dir, "own.cfg"), BASIC_CFG.replace('NAME_PREFIX="basic"', 'NAME_PREFIX="own"'));
  writeFileSync(join(dir, "own.yaml"), "title: T\ntopology: own.cfg\nsteps: [egw pfc_list]\n");
  writeFileSync(join(dir, "bundled.yaml"), "title: T\ntopology: 2gw.cfg\nsteps: [egw2 pfc_list]\n");
  writeFileSync(join(dir, "missing.yaml"), "title: T\ntopology: nowhere.cfg\nsteps: [egw pfc_list]\n");
  writeFileSync(join(dir, "folder.yaml"), "title: T\ntopology: sub.cfg\nsteps: [egw pfc_list]\n");
  writeFileSync(join(dir, "latin1.yaml"), Uint8Array.of(0x74, 0xe4, 0x3a));
  writeFileSync(join(dir, "large.yaml"), "#".repeat(MAX_YAML_CHARS + 1));
  mkdirSync(join(dir, "sub.cfg"));
});
afterAll(() => rmSync(dir, { recursive: true }));

function refused(fn: () => unknown): LabError {
  try {
    fn();
  } catch (err) {
    if (err instanceof LabError) return err;
    throw err;
  }
  return expect.unreachable();
}

describe("files", () => {
  it("finds a topology next to the scenario, else among the bundled ones", () => {
    expect(loadScenario(join(dir, "own.yaml")).topology.name).toBe("own");
    expect(loadScenario(join(dir, "bundled.yaml")).topology.proxyIps.size).toBe(2);
    expect(loadTopology("basic.cfg", dir).hosts).toHaveLength(5);
    expect(loadTopology(join(dir, "own.cfg")).name).toBe("own");
  });

  it.each([
    ["nothing.yaml", "ERR_FILE_NOT_FOUND", undefined],
    ["sub.cfg", "ERR_FILE_IS_DIRECTORY", undefined],
    ["large.yaml", "ERR_FILE_TOO_LARGE", undefined],
    ["latin1.yaml", "ERR_FILE_NOT_TEXT", undefined],
    ["missing.yaml", "ERR_FILE_NOT_FOUND", 2],
    ["folder.yaml", "ERR_FILE_IS_DIRECTORY", 2],
  ])("%s: %s", (name, code, line) => {
    const err = refused(() => loadScenario(join(dir, name)));
    expect(err.code).toBe(code);
    expect(err.position?.line).toBe(line);
    expect(err.hint).toBeTruthy();
  });

  it("wants a .cfg file", () => {
    expect(refused(() => loadTopology("own.yaml", dir)).code).toBe("ERR_TOPOLOGY_FORMAT");
    expect(refused(() => loadTopology("", dir)).code).toBe("ERR_FILE_NOT_FOUND");
  });
});
