/** What stands in a host's box: its addresses, what it serves, and what its tables hold, in lines that fit. */
import type { HostState, HostView } from "../../../src/replay/types.ts";
import { plural } from "../ui/format.ts";

export interface HostLine {
  kind: "address" | "state";
  text: string;
}

/** Width of a character, and of what stands beside the lines, px. */
const CHAR = { address: 6.8, state: 5.6 } as const;
const PADDING = 14;

/** `lines` are as many as fit; `all` is everything that the host's state comes to, one sentence each. */
export function hostLines(
  host: HostView,
  state: HostState | undefined,
  box: { width: number; lines: number },
): { lines: HostLine[]; all: string[] } {
  const all = stateWords(state);
  const most = box.lines;
  const chars = (kind: HostLine["kind"]): number => Math.floor((box.width - PADDING) / CHAR[kind]);
  const wrapped: HostLine[] = [
    ...wrap([...host.loopback, ...host.nics.map((n) => n.addr)], " ", "address", chars("address")),
    ...wrap(all, " · ", "state", chars("state")),
  ];
  const lines = wrapped.slice(0, most);
  if (wrapped.length > most) lines[most - 1].text += " …";
  return { lines: lines.map((l) => ({ ...l, text: cut(l.text, chars(l.kind)) })), all };
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
function wrap(words: readonly string[], between: string, kind: HostLine["kind"], most: number): HostLine[] {
  const out: HostLine[] = [];
  for (const word of words) {
    const last = out.at(-1);
    if (last && last.text.length + between.length + word.length <= most) last.text += between + word;
    else out.push({ kind, text: word });
  }
  return out;
}

const cut = (text: string, most: number): string => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);
