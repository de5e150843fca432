/** Runs the sessions of a page: blocks of prompts, commands and what they print. */
import { ShellSession } from "../../src/cli/shell-session.ts";
import { SimLab } from "../../src/lab/sim/lab.ts";
import { loadTopology } from "../../src/scenario/load.ts";
import type { Block } from "./page.ts";

/** What depends on chance or on how many segments TCP makes of something. */
const VARIES: readonly [RegExp, string][] = [
  [/\[\d+\.\d{6} s, \d+ frames seen/g, "[TIME, FRAMES"],
  [/\b(seq|ack|id)=\d+/g, "$1=N"],
  [/\bid \d+/g, "id N"],
  [/\b(172\.1\.0\.2):\d{5}\b/g, "$1:PORT"],
  [/\d\d:\d\d:\d\d\.\d{6}/g, "TIME"],
  [/\(\d+ times\)/g, "(N times)"],
];
const plain = (line: string): string => VARIES.reduce((text, [from, to]) => text.replace(from, to), line.trimEnd());

const PROMPT = /^[\w.-]+[>#] /;

/** Commands of a session's blocks, each with the lines that must follow. */
export interface Exchange {
  prompt: string;
  command: string;
  output: string[];
  line: number;
}

/** A block ```console TOPOLOGY starts a session, ```console goes on with it. */
export function sessionsOf(blocks: readonly Block[]): { topology: string; exchanges: Exchange[] }[] {
  const sessions: { topology: string; exchanges: Exchange[] }[] = [];
  for (const block of blocks) {
    const [kind, topology] = block.info.split(" ");
    if (kind !== "console") continue;
    if (topology) sessions.push({ topology, exchanges: [] });
    const exchanges = sessions[sessions.length - 1].exchanges;
    for (const [i, text] of block.text.trimEnd().split("\n").entries()) {
      const prompt = PROMPT.exec(text)?.[0];
      if (prompt) exchanges.push({ prompt, command: text.slice(prompt.length), output: [], line: block.line + 1 + i });
      else exchanges[exchanges.length - 1].output.push(text);
    }
  }
  return sessions;
}

/** Plays a session; gives what differs, with the page's line. */
export async function playSession(topology: string, exchanges: readonly Exchange[]): Promise<string[]> {
  const lab = new SimLab(loadTopology(topology), { seed: 1, record: true });
  let printed: string[] = [];
  const shell = new ShellSession(lab, (line) => printed.push(...line.split("\n")));
  const wrong: string[] = [];
  for (const { prompt, command, output, line } of exchanges) {
    if (shell.prompt !== prompt) wrong.push(`line ${line}: the prompt is ${shell.prompt}`);
    printed = [];
    await shell.execute(command);
    if (!matches(output.map(plain), printed.map(plain)))
      wrong.push(`line ${line}: ${command} prints\n${printed.join("\n")}`);
  }
  await lab.close();
  return wrong;
}

/** `...` in `want` stands for any lines. */
export function matches(want: readonly string[], got: readonly string[]): boolean {
  if (want.length === 0) return got.length === 0;
  if (want[0] !== "...") return want[0] === got[0] && matches(want.slice(1), got.slice(1));
  for (let skip = 0; skip <= got.length; skip++) if (matches(want.slice(1), got.slice(skip))) return true;
  return false;
}
