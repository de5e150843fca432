import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import pkg from "../../package.json" with { type: "json" };
import { main } from "../../src/cli/main.ts";
import { DISSECTOR, pluginFolder } from "../../src/cli/wireshark.ts";
import { itWith, tshark } from "../support/tools.ts";

let home: string;
let out: string;
let err: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "guelab-ws-"));
  out = err = "";
  process.exitCode = undefined;
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += text;
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    err += text;
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.exitCode = undefined;
  rmSync(home, { recursive: true, force: true });
});

/** Runs `guelab wireshark ...`; gives what it printed. */
async function wireshark(code: number, ...argv: string[]): Promise<string> {
  out = err = "";
  expect(await main(["wireshark", ...argv]), err).toBe(code);
  return code === 0 ? out : err;
}

describe("guelab wireshark", () => {
  it("installs into a new folder, again without a change, replaces an older one, and removes", async () => {
    const dir = join(home, "lib", "plugins");
    const path = join(dir, "gue_ti.lua");
    expect(await wireshark(0, "install", "--dir", dir)).toMatch(
      new RegExp(`^installed ${path}\n.*guelab wireshark remove`),
    );
    expect(readFileSync(path, "utf8")).toBe(readFileSync(DISSECTOR, "utf8"));
    expect(await wireshark(0, "install", "--dir", dir)).toMatch(`already there: ${path}\n`);
    writeFileSync(path, readFileSync(DISSECTOR, "utf8").replace("MAX_DEPTH = 16", "MAX_DEPTH = 15"));
    expect(await wireshark(0, "install", "--dir", dir)).toMatch(`replaced ${path}\n`);
    expect(readFileSync(path, "utf8")).toBe(readFileSync(DISSECTOR, "utf8"));
    expect(await wireshark(0, "remove", "--dir", dir)).toBe(`removed ${path}\n`);
    expect(existsSync(path)).toBe(false);
    expect(await wireshark(0, "remove", "--dir", dir)).toBe(`nothing to remove: there is no ${path}\n`);
  });

  it("touches no file that is not its own", async () => {
    const path = join(home, "gue_ti.lua");
    writeFileSync(path, "-- mine\n");
    for (const command of ["install", "remove"])
      expect(await wireshark(2, command, "--dir", home)).toBe(
        `guelab: ${path} is not guelab's (ERR_FILE_EXISTS)\n  Move it away, or name another folder with --dir.\n`,
      );
    expect(readFileSync(path, "utf8")).toBe("-- mine\n");
  });

  it("says what is wrong with a folder", async () => {
    writeFileSync(join(home, "file"), "");
    mkdirSync(join(home, "gue_ti.lua"));
    for (const command of ["install", "remove"]) {
      expect(await wireshark(2, command, "--dir", join(home, "file"))).toContain("(ERR_FILE_IS_DIRECTORY)");
      expect(await wireshark(2, command, "--dir", home)).toContain("(ERR_FILE_IS_DIRECTORY)");
      expect(await wireshark(2, command, "--dir", "")).toContain("(ERR_BAD_ARGUMENT)");
    }
    expect(await wireshark(2, "install", "--dir", "/proc/none/plugins")).toMatch(/\(ERR_FILE_UNWRITABLE\)/);
  });

  it("knows the user's folder", () => {
    const printed =
      "Personal Plugins:    \t/u/plugins/4.0\nPersonal Lua Plugins:\t/u/my plugins\nGlobal Lua Plugins:\t/usr/x\n";
    expect(pluginFolder(printed)).toBe("/u/my plugins");
    expect(pluginFolder("", "linux", {})).toBe(join(homedir(), ".local/lib/wireshark/plugins"));
    expect(pluginFolder("", "darwin", {})).toBe(join(homedir(), ".local/lib/wireshark/plugins"));
    expect(pluginFolder("", "win32", { APPDATA: "/r" })).toBe(join("/r", "Wireshark", "plugins"));
  });

  it("is in the package", () => {
    expect(pkg.files).toContain("wireshark");
  });

  itWith("tshark", "installs where tshark finds it, also beside one that is named", () => {
    vi.stubEnv("HOME", home);
    return wireshark(0, "install").then((text) => {
      expect(text).toMatch(`installed ${home}/.local/lib/wireshark/plugins/gue_ti.lua\n`);
      const golden = join(import.meta.dirname, "../golden/frames.pcapng");
      for (const args of [[], ["-X", `lua_script:${DISSECTOR}`]]) {
        const { out: services, err: complaint } = tshark(golden, [
          ...args,
          "-Y",
          "gue_ti.service == 200",
          "-T",
          "fields",
          "-e",
          "gue_ti.service",
        ]);
        expect(complaint).toBe("");
        expect(services).toMatch(/^(200\n)+$/);
      }
    });
  });
});
