import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { schemaText } from "../../src/cli/schema.ts";

const committed = new URL("../../schema/scenario.schema.json", import.meta.url);

describe("the JSON schema", () => {
  it("is the one that is committed (write it anew with: guelab schema > schema/scenario.schema.json)", () => {
    expect(JSON.parse(schemaText())).toEqual(JSON.parse(readFileSync(committed, "utf8")));
  });

  it("knows every kind of step and expectation, and no other keys", () => {
    const schema = JSON.parse(schemaText());
    expect(schema.required).toEqual(["title", "topology", "steps"]);
    expect(schema.additionalProperties).toBe(false);
    expect(Object.keys(schema.$defs)).toEqual(
      expect.arrayContaining([
        "step",
        "packetExpectation",
        "dropExpectation",
        "tableExpectation",
        "resultExpectation",
        "matcher",
      ]),
    );
  });
});
