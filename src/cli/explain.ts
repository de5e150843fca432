/** `guelab explain`: a packet's fields, offset by offset, and what the data path does with it under given tables. */
import { readFileSync, statSync } from "node:fs";
import { Command, InvalidArgumentError } from "commander";
import { parseVector, type Vector } from "../dataplane/vector.ts";
import { LabError } from "../errors.ts";
import { explainFields } from "../report/explain-fields.ts";
import { explainHook } from "../report/explain-hook.ts";
import { type Paint, paintFor } from "../report/paint.ts";
import { TABLES } from "../tables/schema.ts";
import { type Capture, packetTimeNs } from "../wire/capture-types.ts";
import { dissect } from "../wire/dissect.ts";
import { hexdump, parseHex } from "../wire/hexdump.ts";
import { isCapture, readCapture } from "../wire/pcap-reader.ts";
import { LINKTYPE_ETHERNET } from "../wire/pcapng-format.ts";
import { summary } from "../wire/summary.ts";
import { tcpdumpTime } from "../wire/tcpdump.ts";

interface ExplainOptions {
  tables?: string;
  hook: "ingress" | "egress";
  ifindex?: number;
  packet: number;
  port: number[];
}

const EXAMPLE = `
Examples:
  guelab explain run.pcapng --packet 12
  guelab explain "0200 0001 0003 ..." --tables tables.json --hook ingress --ifindex 7
  tcpdump -XXr file | guelab explain -

Tables are written as in packet vectors:
  {"config": {"7": {"rx": "gue+dnat", "tx": "proxy+snat", "mtu": 1500}},
   "dnat": {"tcp 5.5.5.5:3100": "tcp 1.1.1.1:4000"}}`;

function positive(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError("A number from 1 on is expected.");
  return Number(text);
}

function portOf(text: string, before: number[] = []): number[] {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 0xffff) throw new InvalidArgumentError("A UDP port is expected.");
  return [...before, Number(text)];
}

function hookOf(text: string): "ingress" | "egress" {
  if (text !== "ingress" && text !== "egress") throw new InvalidArgumentError("ingress or egress is expected.");
  return text;
}

export function explainCommand(): Command {
  return new Command("explain")
    .description("explain a packet: every header field, and what the data path does with it")
    .argument(
      "<packet...>",
      "hex of a frame from its MAC header on, a capture (pcap, pcapng), a file of hex, or - for stdin",
    )
    .option("--tables <file>", "tables in the form of packet vectors (JSON): also run a hook on the packet")
    .option("--hook <name>", "which hook: ingress or egress", hookOf, "ingress")
    .option("--ifindex <n>", "interface whose hook it is (default: the only one in CONFIG)", positive)
    .option("--packet <n>", "which packet of a capture, from 1", positive, 1)
    .option("--port <n>", "a UDP port that carries GUE (repeatable)", portOf, [])
    .addHelpText("after", EXAMPLE)
    .action((words: string[], options: ExplainOptions) => {
      process.stdout.write(`${explain(words.join(" "), options, paintFor(process.stdout)).join("\n")}\n`);
    });
}

/** The lines of an explanation. Throws LabError for bad hex, a malformed capture, bad tables. */
export function explain(input: string, options: ExplainOptions, paint: Paint): string[] {
  const { frame, from } = readPacket(input, options.packet);
  const root = dissect(frame, { tunnelPorts: options.port });
  const out = [
    `${paint("bold", summary(frame, { tunnelPorts: options.port }))}  ${paint("dim", `${frame.length} bytes${from}`)}`,
    "",
    ...explainFields(frame, root, paint),
  ];
  if (options.tables === undefined) {
    const hint = "With --tables FILE.json it also says what the data path does with this packet.";
    return [...out, "", ...hexdump(frame).map((line) => `  ${line.slice(1)}`), "", paint("dim", hint)];
  }
  const tables = readTables(options.tables);
  const ifindex = options.ifindex ?? onlyInterface(tables);
  return [...out, "", ...explainHook({ hook: options.hook, ifindex, frame, tables }, paint)];
}

/** The only interface that CONFIG names, else 1. */
function onlyInterface(tables: Vector): number {
  const rows = tables.rows.filter((r) => r.name === "config");
  return rows.length === 1 ? TABLES.CONFIG.key.decode(rows[0].key).value : 1;
}

function readPacket(input: string, number: number): { frame: Uint8Array; from: string } {
  const bytes = input === "-" ? readBytes(0, "stdin") : readIfFile(input);
  if (!bytes) return { frame: parseHex(input), from: "" };
  const name = input === "-" ? "stdin" : input;
  if (!isCapture(bytes)) return { frame: parseHex(bytes.toString("utf8"), name), from: ` from ${name}` };
  const capture = captureOf(bytes, name);
  const packet = capture.packets[number - 1];
  if (!packet)
    throw new LabError("ERR_NO_PACKET", `${name} has no packet ${number}`, {
      hint: `It has ${capture.packets.length} packets; choose one with --packet N.`,
    });
  const itf = capture.interfaces[packet.ifId];
  if (itf.linktype !== LINKTYPE_ETHERNET)
    throw new LabError("ERR_LINKTYPE", `${name} is a capture of link type ${itf.linktype}`, {
      hint: "Only Ethernet captures (link type 1) can be explained.",
    });
  const at = `${itf.name ? `, ${itf.name}` : ""}${packet.direction ? ` ${packet.direction}` : ""}`;
  const time = tcpdumpTime(packetTimeNs(packet) % 86_400e9);
  const comments = packet.comments.map((c) => `, ${c}`).join("");
  const from = ` · packet ${number} of ${capture.packets.length} in ${name}${at}, ${time}${comments}`;
  return { frame: packet.frame.slice(), from };
}

function captureOf(bytes: Uint8Array, name: string): Capture {
  try {
    return readCapture(bytes);
  } catch (err) {
    if (!(err instanceof LabError)) throw err;
    throw new LabError(err.code, `${name}: ${err.message}`, { hint: err.hint, cause: err });
  }
}

function readBytes(from: string | 0, name: string): Buffer {
  try {
    return readFileSync(from);
  } catch (cause) {
    throw new LabError("ERR_FILE_UNREADABLE", `${name} cannot be read (${(cause as NodeJS.ErrnoException).code})`, {
      hint: "Check its permissions.",
      cause,
    });
  }
}

/** A file's bytes; undefined when there is no such file and the text may be hex. */
function readIfFile(path: string): Buffer | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory()) throw new LabError("ERR_IS_DIRECTORY", `${path} is a directory`, { hint: "Name a file." });
  if (stat) return readBytes(path, path);
  if (/\.[a-z]\w*$|\//i.test(path) && !/^[0-9a-fx\s:-]+$/i.test(path))
    throw new LabError("ERR_FILE_NOT_FOUND", `there is no file ${path}`, { hint: "Name a capture, or give hex." });
  return undefined;
}

/** Reads a `tables` object, or a whole vector; positions of errors are those in the file. */
function readTables(path: string): Vector {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new LabError("ERR_FILE_NOT_FOUND", `${path} cannot be read`, { cause, hint: "--tables names a JSON file." });
  }
  const whole = isVector(text);
  const prefix = whole ? "" : '{"packets":[],"tables":';
  try {
    return parseVector(`${prefix}${text}${whole ? "" : "}"}`, path);
  } catch (err) {
    if (!(err instanceof LabError) || !err.position) throw err;
    const offset = Math.min(text.length, Math.max(0, err.position.column - 1 - prefix.length));
    const lines = text.slice(0, offset).split("\n");
    err.position = { file: path, line: lines.length, column: lines[lines.length - 1].length + 1 };
    throw err;
  }
}

function isVector(text: string): boolean {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null && "packets" in json;
  } catch {
    return false;
  }
}
