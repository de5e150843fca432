/** The compiled objects: the layout that clang gave every struct, by its own type information, is the schema's. */
import { expect, it } from "vitest";
import { MAP_TYPES, mapInfo } from "../../src/ebpf/bpf.ts";
import { buildPrograms, HOOK_NAMES, PROGRAMS } from "../../src/ebpf/build.ts";
import { allStructs, mapTypeName } from "../../src/ebpf/cheader.ts";
import { run } from "../../src/ebpf/exec.ts";
import { openTestDataPath } from "../../src/ebpf/testrun.ts";
import { TABLE_NAMES, TABLES } from "../../src/tables/schema.ts";
import { describeKernel } from "./require.ts";

interface BtfType {
  id: number;
  kind: string;
  name: string;
  size?: number;
  members?: { name: string; bits_offset: number }[];
}

describeKernel("the compiled programs", () => {
  it.each(HOOK_NAMES)("%s: sizes and offsets in the object's BTF are the schema's", (hook) => {
    const object = buildPrograms()[hook];
    const { types } = JSON.parse(run("ERR_TEST", "bpftool", ["-j", "btf", "dump", "file", object])) as {
      types: BtfType[];
    };
    for (const s of allStructs()) {
      const type = types.find((t) => t.kind === "STRUCT" && t.name === s.name);
      // A program's BTF has the structs that its maps and code mention; every map's are among them, records of rings are not.
      if (!type && (s.name === "event" || s.name === "hook_record")) continue;
      expect(type, `${s.name} in ${object}`).toBeDefined();
      const offsets = type?.members?.map((m) => [m.name, m.bits_offset / 8]);
      expect([s.name, type?.size, offsets]).toEqual([
        s.name,
        s.size,
        Object.keys(s.fields).map((m) => [m, s.offset(m)]),
      ]);
    }
  });

  it("carry the names that are attached, and the licence that their helpers need", () => {
    for (const hook of HOOK_NAMES) {
      const sections = run("ERR_TEST", "bpftool", ["btf", "dump", "file", buildPrograms()[hook]]);
      expect(sections).toContain(`'${PROGRAMS[hook]}'`);
    }
  });

  it("load onto maps of the sizes that are asked for", () => {
    const target = openTestDataPath({ sizes: { SESSION: 4096, TUNNEL: 17 } });
    try {
      for (const name of TABLE_NAMES) {
        const info = mapInfo(target.tables[name].fd);
        const asked = name === "SESSION" ? 4096 : name === "TUNNEL" ? 17 : TABLES[name].maxEntries;
        expect([name, info.type, info.maxEntries]).toEqual([name, MAP_TYPES[mapTypeName(TABLES[name])], asked]);
      }
    } finally {
      target.close();
    }
  });
});
