import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { main } from "../../src/cli/main.ts";

let home: string;
let before: string;
beforeAll(() => {
  before = process.cwd();
  home = mkdtempSync(join(tmpdir(), "guelab-bad-"));
  process.chdir(home);
});
afterAll(() => {
  process.chdir(before);
  rmSync(home, { recursive: true, force: true });
});

let out: string;
let err: string;
beforeEach(() => {
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
  process.exitCode = undefined;
});

/** Runs the command line, and checks what holds for every bad input. Returns the message without its hints. */
async function refused(...argv: string[]): Promise<string> {
  expect(await main(argv), err).toBe(2);
  expect(err).toMatch(/^guelab: /);
  expect(err.match(/^guelab: /gm), "one message").toHaveLength(1);
  expect(err, "no stack trace").not.toMatch(/^\s+at .*:\d+:\d+\)?$|node:internal|\bundefined\b|\[object/m);
  return err.split("\n")[0].slice("guelab: ".length);
}

const HEAD = "title: t\ntopology: basic.cfg\n";
const steps = (...lines: string[]): string => `${HEAD}steps:\n${lines.map((l) => `  ${l}\n`).join("")}`;
const ADD = "egw pfc_add eth1 1 100 KEY 172.1.0.4 6000 tcp 5.5.5.5 3100 1.1.1.1 4000";
const bomb = (): string => {
  const rows = Array.from({ length: 9 }, (_, i) => `x${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(",")}]`);
  return `x0: &a0 [l]\n${rows.join("\n")}\nsteps: *a9\n`;
};

describe("a scenario", () => {
  const cases: [name: string, content: string | Uint8Array, message: string | RegExp][] = [
    ["wrong key length", steps(`- do: ${ADD.replace("KEY", "short")}`), "4:32: the key is 5 bytes long, expected 16"],
    ["key of bad hex", steps(`- do: ${ADD.replace("KEY", "hex:xy")}`), "4:32: the key 'hex:xy' is not valid hex"],
    ["unknown host", steps("- do: egw9 pfc_list"), '4:9: there is no host "egw9"'],
    ["unknown host as argument", steps("- do: http_start nodeX 1.1.1.1 4000 1"), '4:20: there is no host "nodeX"'],
    ["unknown interface", steps("- do: egw pfc_stop eth7"), '4:22: there is no interface "eth7" here'],
    ["unknown command", steps("- do: egw pfc_lost"), '4:13: there is no command "pfc_lost"'],
    ["missing argument", steps("- do: egw pfc_delete 1"), "4:25: pfc_delete needs <service>"],
    ["too many arguments", steps("- do: egw pfc_list x"), '4:22: pfc_list does not take "x"'],
    ["port out of range", steps("- do: egw port_init 1 65536"), "4:25: max: expected a port"],
    ["open quote", steps("- do: 'egw \"pfc_list'"), '4:14: the quote " is never closed'],
    ["unknown key", steps("- doo: egw pfc_list"), "4:5: unknown key 'doo'"],
    ["unknown key at the top", `${steps("- egw pfc_list")}stepps: []\n`, "5:1: unknown key 'stepps'"],
    ["list for text", `${HEAD}steps: [[]]\n`, "3:9: steps[0]: expected a command, or do, expect, until"],
    ["text for list", `${HEAD}steps: hello\n`, "3:1: steps: expected a list, found a text"],
    ["text for number", `${HEAD}seed: abc\nsteps: [wait 1s]\n`, "3:1: seed: expected a number, found a text"],
    ["duration without unit", steps("- wait: 5"), "4:5: steps[0].wait: expected a duration with its unit"],
    ["wait without unit", steps("- do: wait 5"), '4:14: "5" has no unit'],
    ["no steps", HEAD, "1:1: steps is missing"],
    ["empty steps", `${HEAD}steps: []\n`, "3:1: steps: "],
    ["empty file", "", "1:1: the file is empty"],
    ["only a comment", "# nothing\n", "1:1: the file is empty"],
    ["a text", "hello", "1:1: expected keys with values, found a text"],
    ["bad indentation", steps("- do: egw pfc_list", " expect: { status: 200 }"), "5:1: "],
    ["tab", `${HEAD}steps:\n\t- wait 1s\n`, "4:1: Tabs are not allowed as indentation"],
    ["duplicate key", `${HEAD}title: u\nsteps: [wait 1s]\n`, "3:1: Map keys must be unique"],
    ["two documents", `${steps("- wait 1s")}---\na: 1\n`, "5:1: the file holds more than one document"],
    ["alias bomb", bomb(), "1:1: the aliases stand for too much"],
    ["deep nesting", `title: ${"[".repeat(5000)}`, /^\d+:\d+: the file is nested too deeply/],
    ["binary", Uint8Array.from({ length: 512 }, (_, i) => i & 0xff), "is not UTF-8 text"],
    ["large", `# ${"a".repeat(1 << 20)}\n`, "has 1048579 bytes"],
    [
      "unknown expectation",
      steps("- do: client ping 5.5.5.5", "  expect: { statsu: 1 }"),
      '5:15: ping gives no "statsu"',
    ],
    [
      "text for a status",
      steps("- do: client curl http://5.5.5.5/", "  expect: { status: ok }"),
      "5:15: status is a number",
    ],
    ["bad pattern", steps("- do: egw arp", '  expect: { output: "/[/" }'), "5:15: /[/ is no regular expression"],
    ["unknown state", steps("- until: tunnle egw 1 absent"), '4:12: nothing is called "tunnle"'],
    [
      "endpoint that cannot be",
      steps("- until: tunnel egw 1 remote 1.2.3.4:99999"),
      "4:32: remote is an address and a port",
    ],
    ["proxy without protocol", steps("- expect: dnat egw * proxy 5.5.5.5:1"), /^4:\d+: DNAT has no field "proxy"/],
    [
      "error code in lower case",
      steps("- do: egw arp", "  refused: busy"),
      "5:5: steps[0].refused: expected an error code",
    ],
    [
      "unknown setting",
      `${HEAD}sysctl: { nat: { foo: 1 } }\nsteps: [wait 1s]\n`,
      "3:18: the lab does not know the setting foo",
    ],
    ["link fault", `${HEAD}links: { all: lost 1% }\nsteps: [wait 1s]\n`, '3:10: a link has no "lost"'],
    ["missing topology", "title: t\ntopology: no.cfg\nsteps: [wait 1s]\n", "2:1: there is no topology file no.cfg"],
    [
      "topology of a wrong type",
      "title: t\ntopology: [a]\nsteps: [wait 1s]\n",
      "2:1: topology: expected keys with values, found a list",
    ],
  ];
  test.each(cases)("%s", async (_, content, message) => {
    writeFileSync("bad.yaml", content);
    const line = await refused("run", "--pcap", "caps", "bad.yaml");
    if (message instanceof RegExp) expect(line.replace(/^bad\.yaml:/, "")).toMatch(message);
    else if (/^\d/.test(message)) expect(line).toContain(`bad.yaml:${message}`);
    else expect(line).toBe(`bad.yaml ${message} ${line.slice(line.lastIndexOf("("))}`);
    expect(line).toMatch(/ \(ERR_[A-Z_]+\)$/);
    if (!line.includes("ERR_SYSCTL_NAME")) expect([out, existsSync("caps")], "nothing half-done").toEqual(["", false]);
    rmSync("caps", { recursive: true, force: true });
  });

  test("a duplicate service is refused where the step does not expect it", async () => {
    const start = "- do: http_start node1 1.1.1.1 4000 100";
    writeFileSync("twice.yaml", steps(start, start));
    expect(await refused("run", "twice.yaml")).toBe(
      "twice.yaml:5:9: tcp 1.1.1.1:4000 is in use on node1 (ERR_ENDPOINT_IN_USE)",
    );
    expect(out).toContain("1 of 2 steps passed");
    process.exitCode = undefined;
    writeFileSync("twice.yaml", steps(start, start, "  refused: ERR_ENDPOINT_IN_USE"));
    expect(await main(["run", "twice.yaml"])).toBe(0);
  });

  test("a failed expectation is not bad input", async () => {
    writeFileSync("fails.yaml", steps("- do: client ping 5.5.5.5", "  expect: { received: 2 }"));
    expect([await main(["run", "fails.yaml"]), err]).toEqual([1, ""]);
    expect(out).toMatch(/✗ received is 2 {2}\(fails\.yaml:5:15\)\n.*expected 2\n.*actual {3}3\n/);
  });
});

describe("a topology", () => {
  const good = readFileSync(new URL("../../scenarios/topologies/basic.cfg", import.meta.url), "utf8");
  const plus = (line: string): string => `${good}${line}\n`;
  const at = good.split("\n").length;
  const cases: [name: string, content: string, message: string][] = [
    ["command", plus("rm -rf /"), `${at}:1: 'rm' is not an assignment`],
    ["command substitution", plus("X=$(id)"), `${at}:3: command substitution`],
    ["backquotes", plus("X=`id`"), `${at}:3: '\`' is not accepted`],
    ["open quote", plus('X="a'), `${at}:3: this quote is never closed`],
    ["open array", plus('X=("a"'), `${at}:3: this '(' is never closed`],
    ["unset name", plus('X="$Y"'), `${at}:4: $Y is not set`],
    ["missing include", plus(". no.cfg"), `${at}:1: cannot include no.cfg`],
    ["include of itself", plus(". bad.cfg"), `${at}:1: bad.cfg includes itself`],
    [
      "subnet clash",
      good.replace('"172.2.0.0/16"', '"172.1.128.0/17"'),
      "24:39: subnet 172.1.128.0/17 of 'basic-nat' overlaps",
    ],
    ["bad subnet", good.replace('"172.2.0.0/16"', '"172.2.0/16"'), "24:39: '172.2.0/16' is not a usable subnet"],
    ["bad PROXY_IP", good.replace('"5.5.5.5"', '"5.5.5"'), "28:11: '5.5.5' cannot be the public address"],
    ["unknown member", good.replace("egw node1 nat", "egw ghost nat"), "25:32: there is no host 'ghost'"],
    ["empty file", "", "1:1: NAME_PREFIX is not set"],
  ];
  test.each(cases)("%s", async (_, content, message) => {
    writeFileSync("bad.cfg", content);
    writeFileSync("ok.yaml", "title: t\ntopology: bad.cfg\nsteps: [wait 1s]\n");
    expect(await refused("run", "ok.yaml")).toContain(`bad.cfg:${message}`);
    expect(out).toBe("");
  });
});

describe("files and options", () => {
  test.each<[string[], string]>([
    [["run", "none.yaml"], "there is no file none.yaml (ERR_FILE_NOT_FOUND)"],
    [["run", "."], ". is a directory (ERR_FILE_IS_DIRECTORY)"],
    [["run", "--pcap", "/proc/x", "ok.yaml"], "/proc/x/ok.pcapng cannot be written (ENOENT) (ERR_FILE_UNWRITABLE)"],
    [["run", "--json", "ok.yaml/x", "ok.yaml"], "ok.yaml/x cannot be written (ENOTDIR) (ERR_FILE_UNWRITABLE)"],
    [["run", "--junit", ".", "ok.yaml"], ". is a directory (ERR_FILE_IS_DIRECTORY)"],
    [["run", "--json", "-", "--junit", "-", "ok.yaml"], "--json and --junit both write to - (ERR_BAD_ARGUMENT)"],
    [["run", "--hooks", "ok.yaml"], "--hooks says what a capture holds: it goes with --pcap (ERR_BAD_ARGUMENT)"],
    [
      ["run", "--pcap", "caps", "ok.yaml", "ok.yaml"],
      "a scenario file is given twice, so that captures would overwrite each other (ERR_DUPLICATE_FILE)",
    ],
    [["run"], "missing required argument 'file'"],
    [["run", "--seed", "abc", "ok.yaml"], "option '--seed <n>' argument 'abc' is invalid. Expected 0 to 4294967295."],
    [["run", "-j", "0", "ok.yaml"], "option '-j, --jobs <n>' argument '0' is invalid. Expected 1 to 9999."],
    [["run", "--frob", "ok.yaml"], "unknown option '--frob'"],
    [["frob"], "unknown command 'frob'"],
    [["help", "frob"], "unknown command 'frob'"],
    [["shell", "none.cfg"], "there is no topology file none.cfg (ERR_FILE_NOT_FOUND)"],
    [["shell", "ok.yaml"], "ok.yaml is not a .cfg file (ERR_TOPOLOGY_FORMAT)"],
    [["schema", "x"], "too many arguments for 'schema'. Expected 0 arguments but got 1."],
    [["explain", "abc"], "hex:1:3: an odd number of hex digits, the last byte is half (ERR_HEX)"],
    [["explain", "zz"], 'hex:1:1: "z" is no hex digit (ERR_HEX)'],
    [["explain", "none.pcapng"], "there is no file none.pcapng (ERR_FILE_NOT_FOUND)"],
    [["explain", "empty.pcapng"], "empty.pcapng:1:1: no bytes (ERR_HEX)"],
    [
      ["explain", "00", "--hook", "in"],
      "option '--hook <name>' argument 'in' is invalid. ingress or egress is expected.",
    ],
    [["explain", "00", "--tables", "bad.jsonl"], "bad.jsonl:2:1: expected ',' or '}' (ERR_VECTOR_SYNTAX)"],
    [["vectors", "run"], "missing required argument 'files'"],
    [["vectors", "run", "none.jsonl"], "cannot read none.jsonl: there is no such file (ERR_VECTOR_FILE)"],
    [["vectors", "run", "bad.jsonl"], "bad.jsonl:1:2: expected a member name in double quotes (ERR_VECTOR_SYNTAX)"],
  ])("%j", async (argv, message) => {
    writeFileSync("ok.yaml", steps("- wait 1s"));
    writeFileSync("bad.jsonl", "{\n");
    writeFileSync("empty.pcapng", "");
    expect(await refused(...argv)).toBe(message);
    expect(readdirSync(home).filter((f) => f.endsWith(".part"))).toEqual([]);
  });

  test("a report or capture that cannot be written is an error before anything runs", async () => {
    writeFileSync("ok.yaml", steps("- wait 1s"));
    for (const option of ["--json", "--junit", "--pcap"]) {
      err = "";
      expect(await refused("run", option, "ok.yaml/x", "ok.yaml")).toMatch(/cannot be written \(ENOTDIR\)/);
      expect(out).toBe("");
    }
  });

  test.each([
    [true, /^$/],
    [false, /^guelab: ok\.yaml:5:5: egw has no group 1 /],
  ])("a refusal that a report shows is not said again where both go to a terminal: %s", async (tty, said) => {
    const was = [process.stdout.isTTY, process.stderr.isTTY];
    [process.stdout.isTTY, process.stderr.isTTY] = [tty, tty];
    writeFileSync("ok.yaml", steps("- egw pfc_start eth1 egw 9 9 5000 5010", "- egw pfc_delete 1 100"));
    expect(await main(["run", "ok.yaml"])).toBe(2);
    [process.stdout.isTTY, process.stderr.isTTY] = was;
    expect(out).toContain("ERR_");
    expect(err).toMatch(said);
  });

  test.skipIf(process.getuid?.() === 0)("a file that may not be read (root may read everything)", async () => {
    writeFileSync("secret.yaml", steps("- wait 1s"));
    chmodSync("secret.yaml", 0);
    expect(await refused("run", "secret.yaml")).toBe("secret.yaml cannot be read (EACCES) (ERR_FILE_UNREADABLE)");
  });

  test.skipIf(!existsSync("/proc/self/mem"))("a file that is there but gives no bytes", async () => {
    expect(await refused("explain", "/proc/self/mem")).toBe(
      "/proc/self/mem cannot be read (EIO) (ERR_FILE_UNREADABLE)",
    );
    err = "";
    expect(await refused("run", "/proc/self/mem")).toBe("/proc/self/mem cannot be read (EIO) (ERR_FILE_UNREADABLE)");
  });

  test.skipIf(!existsSync("/dev/zero"))("a device that never ends", async () => {
    expect(await refused("run", "/dev/zero")).toBe("/dev/zero has more than 1048576 bytes (ERR_FILE_TOO_LARGE)");
  });

  test.each([
    ["a capture that is cut within a block", 40, /^cut\.pcapng: byte 0: block of \d+ bytes, but only 40 are left/],
    ["a capture that is cut within a block's header", 6, /^cut\.pcapng: byte 0: block header cut short/],
  ])("%s", async (_, length, message) => {
    writeFileSync("ok.yaml", steps("- client ping 5.5.5.5"));
    expect(await main(["run", "--pcap", "caps", "ok.yaml"])).toBe(0);
    process.exitCode = undefined;
    writeFileSync("cut.pcapng", readFileSync("caps/ok.pcapng").subarray(0, length));
    expect(await refused("explain", "cut.pcapng")).toMatch(message);
  });

  test("a report's option without a file prints it, and a scenario behind it is never written over", async () => {
    const text = steps("- wait 1s");
    writeFileSync("ok.yaml", text);
    for (const args of [
      ["run", "ok.yaml", "--json"],
      ["run", "--json", "ok.yaml"],
    ]) {
      out = "";
      expect(await main(args), err).toBe(0);
      expect(JSON.parse(out).status).toBe("passed");
      expect(readFileSync("ok.yaml", "utf8")).toBe(text);
    }
    process.exitCode = undefined;
    expect(await refused("run", "--json")).toMatch(/missing required argument 'file'/);
  });

  test("what is no regular file is written to, never replaced; a link stays a link", async () => {
    const { lstatSync, symlinkSync } = await import("node:fs");
    writeFileSync("ok.yaml", steps("- wait 1s"));
    mkdirSync("deep", { recursive: true });
    writeFileSync("deep/real.json", "");
    symlinkSync("deep/real.json", "link.json");
    expect(await main(["run", "--json", "link.json", "--junit", "/dev/null", "ok.yaml"]), err).toBe(0);
    expect(lstatSync("link.json").isSymbolicLink()).toBe(true);
    expect(JSON.parse(readFileSync("deep/real.json", "utf8")).status).toBe("passed");
    expect(lstatSync("/dev/null").isFile()).toBe(false);
  });
});
