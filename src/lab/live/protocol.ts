/**
 * What a live lab and its commands say to each other: HTTP on a Unix socket, so that a container needs no more than curl.
 *
 *   POST /command   words, each followed by a NUL byte; the answer is what the command prints
 *   GET /           LiveStatus as JSON
 *
 * topo_cleanup is answered when the lab is down; its process then ends.
 *
 * An answer carries the exit code in X-Exit-Code: 0 ok, 1 the command ran and did not succeed, 2 it was refused.
 */
export const EXIT_HEADER = "x-exit-code";

export interface LiveHost {
  name: string;
  /** Path of its network namespace. */
  netns: string;
  /** Name of its container, where it has one. */
  container?: string;
  nics: string[];
}

export interface LiveStatus {
  prefix: string;
  kind: "netns" | "docker";
  /** Name of the topology. */
  topology: string;
  pid: number;
  hosts: LiveHost[];
}

export interface LiveAnswer {
  exit: number;
  text: string;
}

/** Words as the body of a request. */
export const packWords = (words: readonly string[]): string => words.map((w) => `${w}\0`).join("");
export const unpackWords = (body: string): string[] => body.split("\0").slice(0, -1);
