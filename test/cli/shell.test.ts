import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { checkInput, historyPath, Interrupt, runShell, shellCommand } from "../../src/cli/shell.ts";
import { ShellSession } from "../../src/cli/shell-session.ts";
import { LabError } from "../../src/errors.ts";
import { SimLab } from "../../src/lab/sim/lab.ts";
import { buildPacket } from "../../src/wire/build.ts";
import { basicTopology, FakeLab } from "../support/fake-lab.ts";

const frame = buildPacket({ ip: { src: "172.1.0.2", dst: "5.5.5.5" }, udp: { sport: 1, dport: 2 } });

function session(lab = new FakeLab()) {
  const lines: string[] = [];
  const shell = new ShellSession(lab, (line) => lines.push(line));
  return { lab, lines, shell };
}

async function piped(lab: FakeLab, text: string): Promise<{ code: number; output: string }> {
  const output = new PassThrough();
  const chunks: Buffer[] = [];
  output.on("data", (c: Buffer) => chunks.push(c));
  const code = await runShell(lab, { input: Readable.from([text]), output });
  return { code, output: Buffer.concat(chunks).toString() };
}

describe("the shell", () => {
  it("runs commands and prints what they give", async () => {
    const { lab, lines, shell } = session(new FakeLab(() => ({ output: ["a", "b"] })));
    expect(await shell.execute("  egw pfc_list ")).toBe("ok");
    expect(lab.ran).toEqual(["egw pfc_list"]);
    expect(lines).toEqual(["a", "b"]);
  });

  it("ignores empty lines and comments", async () => {
    const { lab, lines, shell } = session();
    for (const line of ["", "   ", "# egw pfc_list"]) expect(await shell.execute(line)).toBe("ok");
    expect([lab.ran, lines]).toEqual([[], []]);
  });

  it("goes to a host's prompt and back", async () => {
    const { lab, shell } = session();
    expect(shell.prompt).toBe("basic> ");
    await shell.execute("cli egw");
    expect(shell.prompt).toBe("egw# ");
    expect(shell.complete("pfc_l").candidates).toEqual(["pfc_list"]);
    await shell.execute("pfc_list");
    await shell.execute("node1 pfc_list");
    expect(lab.ran).toEqual(["pfc_list", "node1 pfc_list"]);
    expect(await shell.execute("exit")).toBe("ok");
    expect(shell.prompt).toBe("basic> ");
    expect(await shell.execute("exit")).toBe("exit");
  });

  it("marks the wrong word", async () => {
    const { lines, shell } = session();
    expect(await shell.execute("egw pfc_lst")).toBe("failed");
    expect(lines).toEqual([
      "  egw pfc_lst",
      "      ^",
      'there is no command "pfc_lst" (ERR_COMMAND_UNKNOWN)',
      "  Did you mean pfc_list?",
    ]);
  });

  it("shows a refusal of the lab, and counts a failed command as failed", async () => {
    const refusing = session(
      new FakeLab(() => {
        throw new LabError("ERR_X", "no", { hint: "Do not." });
      }),
    );
    expect(await refusing.shell.execute("egw pfc_list")).toBe("failed");
    expect(refusing.lines).toEqual(["no (ERR_X)", "  Do not."]);
    const failing = session(new FakeLab(() => ({ data: { error: "ETIMEDOUT" } })));
    expect(await failing.shell.execute("client curl 5.5.5.5")).toBe("failed");
  });

  it("tells what happened in the network, packet by packet where asked to", async () => {
    const lab = new FakeLab((_, l) => {
      l.packetList.push({ timeNs: l.now(), host: "egw", nic: "eth1", direction: "in", frame });
      l.dropList.push({ timeNs: l.now(), host: "egw", nic: "eth1", where: "udp", reason: "no such port", frame });
      return {};
    });
    const { lines, shell } = session(lab);
    await shell.execute("egw pfc_list");
    expect(lines[0]).toMatch(/1 frames seen, 1 dropped\]$/);
    expect(lines[1]).toMatch(/^ {2}dropped: egw\/eth1 udp no such port: 172\.1\.0\.2:1 > 5\.5\.5\.5:2/);
    lines.length = 0;
    await shell.execute("trace on");
    await shell.execute("egw pfc_list");
    expect(lines.some((l) => /egw\/eth1 +in +172\.1\.0\.2:1 > 5\.5\.5\.5:2/.test(l))).toBe(true);
  });

  it("checks the state", async () => {
    const { lab, lines, shell } = session();
    lab.tablesOf("egw");
    expect(await shell.execute("expect tunnel egw count 0")).toBe("ok");
    expect(await shell.execute("expect tunnel egw count 1")).toBe("failed");
    expect(lines).toEqual(["it holds", "it does not hold", "  expected: 1 rows", "  actual:   0 rows"]);
    expect(await shell.execute("until tunnel egw count 1")).toBe("failed");
    expect(lab.now()).toBe(5e9);
    lines.length = 0;
    expect(await shell.execute("expect tunel egw 1")).toBe("failed");
    expect(lines.slice(0, 2)).toEqual(["  expect tunel egw 1", "         ^"]);
  });

  it("helps", async () => {
    const { lines, shell } = session();
    await shell.execute("help");
    expect(lines.some((l) => l.includes("pfc_start"))).toBe(true);
    lines.length = 0;
    await shell.execute("help trace");
    expect(lines).toEqual(["trace on|off: show every packet"]);
    expect(await shell.execute("trace maybe")).toBe("failed");
  });

  it("reads commands from a pipe, echoes them, and says by its exit code whether all went well", async () => {
    const lab = new FakeLab(() => ({ output: ["done"] }));
    expect(await piped(lab, "egw pfc_list\nnode1 pfc_list\n")).toEqual({
      code: 0,
      output: "basic> egw pfc_list\ndone\nbasic> node1 pfc_list\ndone\n",
    });
    expect((await piped(new FakeLab(), "egw pfc_lst\negw pfc_list\n")).code).toBe(1);
    const stopped = new FakeLab();
    await piped(stopped, "exit\negw pfc_list\n");
    expect(stopped.ran).toEqual([]);
  });

  it("does not take a directory for its input", () => {
    const fd = openSync(tmpdir(), "r");
    try {
      expect(() => checkInput(fd)).toThrow("standard input is a directory");
    } finally {
      closeSync(fd);
    }
  });

  it("says that its input cannot be read", async () => {
    const input = new Readable({
      read() {
        this.destroy(Object.assign(new Error("i/o error, read"), { code: "EIO" }));
      },
    });
    await expect(runShell(new FakeLab(), { input, output: new PassThrough() })).rejects.toMatchObject({
      code: "ERR_FILE_UNREADABLE",
      message: "standard input cannot be read (EIO)",
    });
  });

  it("ends a long command at Ctrl-C, and goes on", async () => {
    const input = Object.assign(new PassThrough(), { isTTY: true });
    const output = Object.assign(new PassThrough(), { isTTY: true });
    let text = "";
    output.on("data", (chunk) => {
      text += chunk;
    });
    const interrupt = new Interrupt();
    let pauses = 0;
    const pause = (): Promise<void> => {
      if (pauses++ === 0) input.write("\x03");
      return interrupt.pause();
    };
    const lab = new SimLab(basicTopology(), { record: true, pause });
    const code = runShell(lab, { input, output }, undefined, interrupt);
    input.write("client ping -c 400000 5.5.5.5\nclient ping -c 1 5.5.5.5\nexit\n");
    expect(await code).toBe(0);
    expect(text).toContain("interrupted (ERR_INTERRUPTED)");
    expect(text).toContain("1 sent to 5.5.5.5, 56 bytes, 1 answered");
  });

  it("keeps its history where XDG says", () => {
    expect(historyPath({ XDG_STATE_HOME: "/x" })).toBe("/x/guelab/history");
    expect(historyPath({})).toMatch(/\/\.local\/state\/guelab\/history$/);
  });

  it("keeps what was typed at a terminal for the next time", async () => {
    const dir = mkdtempSync(join(tmpdir(), "guelab-shell-"));
    try {
      const history = join(dir, "deep", "history");
      const input = Object.assign(new PassThrough(), { isTTY: true });
      const output = Object.assign(new PassThrough(), { isTTY: true });
      output.resume();
      const lab = new FakeLab();
      input.write("egw pfc_list\n");
      const code = runShell(lab, { input, output }, history);
      input.write("exit\n");
      expect(await code).toBe(0);
      expect(lab.ran).toEqual(["egw pfc_list"]);
      const { readFileSync } = await import("node:fs");
      expect(readFileSync(history, "utf8")).toBe("egw pfc_list\nexit\n");
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it("has a lab made by its factory, with recording", async () => {
    const made: unknown[] = [];
    const command = shellCommand(async (topology, options) => {
      made.push(topology.name, options);
      throw new LabError("ERR_X", "not here");
    });
    await expect(command.parseAsync(["basic.cfg", "--seed", "7"], { from: "user" })).rejects.toThrow("not here");
    expect(made).toEqual(["basic", { seed: 7, record: true, pause: expect.any(Function) }]);
  });
});
