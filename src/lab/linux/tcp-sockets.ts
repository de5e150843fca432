/** TCP sockets of a namespace, as /proc/net/tcp lists them (Documentation/networking/proc_net_tcp.rst). */
import { readFileSync } from "node:fs";
import type { Namespace } from "./sys.ts";

const TIME_WAIT = 6;
const POLL_MS = 1;

/** Whether a connection from a local port is still there. */
function isOpen(ns: Namespace, port: number): boolean {
  const text = ns.enter(() => readFileSync("/proc/thread-self/net/tcp", "utf8"));
  return text
    .split("\n")
    .slice(1)
    .some((line) => {
      const [, local = "", , state = ""] = line.trim().split(/\s+/);
      return Number.parseInt(local.slice(-4), 16) === port && Number.parseInt(state, 16) !== TIME_WAIT;
    });
}

/**
 * Waits until the connection from a local port is closed on both sides: its last packets belong to what has ended, and the
 * port can be used again. Not longer than `timeoutMs`.
 */
export async function connectionClosed(ns: Namespace, port: number, timeoutMs: number): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (isOpen(ns, port) && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
