/** What stands in a host's box: its addresses, what it serves, and what its tables hold, in lines that fit. */
import type { HostState, HostView } from "../../../src/replay/types.ts";
import { plural } from "../ui/format.ts";

export interface HostLine {
  kind: "address" | "state";
  text: string;
}

/** Lines of a box, and characters that fit into one. */
const LINES = 3;
const CHARS = { address: 18, state: 20 } as const;

/** `lines` are as many as fit; `all` is everything that the host's state comes to, one sentence each. */
export function hostLines(host: HostView, state: HostState | undefined): { lines: HostLine[]; all: string[] } {
  const all = stateWords(state);
  const wrapped: HostLine[] = [
    ...wrap([...host.loopback, ...host.nics.map((n) => n.addr)], " ", "address"),
    ...wrap(all, " · ", "state"),
  ];
  const lines = wrapped.slice(0, LINES);
  if (wrapped.length > LINES) lines[LINES - 1] = cut(lines[LINES - 1], true);
  return { lines: lines.map((l) => cut(l)), all };
}

function stateWords(state: HostState | undefined): string[] {
  const rows = (name: "TUNNEL" | "SESSION" | "conntrack"): number => state?.sizes[name] ?? 0;
  const { services = [], pingSeconds, linuxTunnels = [] } = state?.running ?? {};
  const [tunnels, sessions, flows] = [rows("TUNNEL"), rows("SESSION"), rows("conntrack")];
  const out = services.length > 2 ? [plural(services.length, "service")] : [...services];
  if (tunnels > 0) out.push(plural(tunnels, "tunnel"));
  else if (pingSeconds !== undefined) out.push("data path on");
  if (pingSeconds) out.push(`ping ${pingSeconds} s`);
  if (linuxTunnels.length > 0) out.push(plural(linuxTunnels.length, "Linux tunnel"));
  if (sessions > 0) out.push(plural(sessions, "session"));
  if (flows > 0) out.push(plural(flows, "flow"));
  return out;
}

/** As many words on a line as fit. */
function wrap(words: readonly string[], between: string, kind: HostLine["kind"]): HostLine[] {
  const out: HostLine[] = [];
  for (const word of words) {
    const last = out.at(-1);
    if (last && last.text.length + between.length + word.length <= CHARS[kind]) last.text += between + word;
    else out.push({ kind, text: word });
  }
  return out;
}

function cut(line: HostLine, more = false): HostLine {
  const most = CHARS[line.kind];
  const text = more ? `${line.text} …` : line.text;
  return text.length <= most ? { ...line, text } : { ...line, text: `${text.slice(0, most - 1)}…` };
}
