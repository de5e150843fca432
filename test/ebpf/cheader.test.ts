/** The C header is what the schema says, today. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BPF_DIR } from "../../src/ebpf/build.ts";
import { allStructs, mapTypeName, tablesHeader } from "../../src/ebpf/cheader.ts";
import { REASON, REASON_NAMES, REASONS } from "../../src/tables/reasons.ts";
import { TABLE_NAMES, TABLES } from "../../src/tables/schema.ts";

const header = readFileSync(join(BPF_DIR, "gen", "tables.h"), "utf8");
const macro = (name: string): bigint =>
  BigInt((new RegExp(`#define ${name} (\\S+?)(?:ULL)?\n`).exec(header) as RegExpExecArray)[1]);

describe("bpf/gen/tables.h", () => {
  it("is up to date: `npm run gen` changes nothing", () => {
    expect(header).toBe(tablesHeader());
  });

  it("declares every table with its type, key, value and size", () => {
    for (const name of TABLE_NAMES) {
      const def = TABLES[name];
      const key = def.kind === "array" ? "__u32" : `struct ${def.key.name}`;
      expect(header).toContain(
        `struct {\n\t__uint(type, ${mapTypeName(def)});\n\t__type(key, ${key});\n\t__type(value, struct ${def.value.name});\n\t__uint(max_entries, ${def.maxEntries});\n} ${name} SEC(".maps");`,
      );
    }
  });

  it("asserts the size of every struct and the offset of every member", () => {
    for (const s of allStructs()) {
      expect(header).toContain(`_Static_assert(sizeof(struct ${s.name}) == ${s.size},`);
      for (const member of Object.keys(s.fields))
        expect(header).toContain(`offsetof(struct ${s.name}, ${member}) == ${s.offset(member)},`);
    }
  });

  it("has each reason's outcome in its masks", () => {
    for (const name of REASON_NAMES) {
      const bit = 1n << BigInt(REASON[name]);
      expect((macro("REASON_DROPS") & bit) !== 0n, name).toBe(REASONS[name].outcome === "drop");
      expect((macro("REASON_REDIRECTS") & bit) !== 0n, name).toBe(REASONS[name].outcome === "redirect");
    }
  });
});
