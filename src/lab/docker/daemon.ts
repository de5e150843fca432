/**
 * The daemon that containers are asked from: whether it is there and on this machine, in which network namespace it makes its
 * bridges, and what of that namespace would break a lab.
 */
import { readlinkSync } from "node:fs";
import { LabError } from "../../errors.ts";
import { readSysctl } from "../linux/inside.ts";
import { listenerOf, Namespace, SysError } from "../linux/sys.ts";
import { docker, tryDocker } from "./cli.ts";

const BRIDGE_NF = "net.bridge.bridge-nf-call-iptables";

export interface Daemon {
  readonly version: string;
  /** The process that listens at the daemon's socket; it stands for the namespace. */
  readonly pid: number;
}

/** Throws LabError ERR_NO_DOCKER where no daemon answers, ERR_DOCKER_REMOTE where it is not on this machine. */
export function findDaemon(): Daemon {
  const r = tryDocker(["version", "--format", "{{.Server.Version}}"]);
  if (r.status !== 0)
    throw new LabError("ERR_NO_DOCKER", `the docker daemon does not answer: ${r.stderr.trim()}`, {
      hint: "Start it (systemctl start docker), or name it: DOCKER_HOST=unix:///path guelab ...",
    });
  const endpoint = docker(["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]).trim();
  return { version: r.stdout.trim(), pid: listener(endpoint) };
}

function listener(endpoint: string): number {
  const path = /^unix:\/\/(\/.*)$/.exec(endpoint)?.[1];
  if (path === undefined)
    throw new LabError("ERR_DOCKER_REMOTE", `the docker lab needs a daemon on this machine, not ${endpoint}`, {
      hint: "guelab works inside the containers' namespaces: run it where they are, with DOCKER_HOST=unix:///path.",
    });
  try {
    return listenerOf(path);
  } catch (cause) {
    if (!(cause instanceof SysError)) throw cause;
    throw new LabError("ERR_NO_DOCKER", `the docker daemon's socket ${path} does not answer: ${cause.message}`, {
      cause,
    });
  }
}

/** The daemon's network namespace, with the machine's programs. */
export const openDaemonNs = (daemon: Daemon): Namespace => new Namespace("docker", `/proc/${daemon.pid}/ns/net`);

/**
 * Throws LabError ERR_BRIDGE_NF where iptables sees what a bridge forwards: docker's rules for internal networks then drop
 * packets to PROXY_IP. The setting is the namespace's; in that of the machine it is not ours to change.
 */
export function refuseBridgeNf(daemon: Daemon, ns: Namespace): void {
  let value: string;
  try {
    value = ns.enter(() => readSysctl(BRIDGE_NF));
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === "ENOENT") return;
    throw err;
  }
  if (value === "0") return;
  const own = readlinkSync(`/proc/${daemon.pid}/ns/net`) === readlinkSync("/proc/self/ns/net");
  const enter = own ? "" : `nsenter --net=/proc/${daemon.pid}/ns/net `;
  throw new LabError(
    "ERR_BRIDGE_NF",
    `${BRIDGE_NF} is ${value} where docker has its bridges: its rules would drop packets to PROXY_IP`,
    {
      hint: `Set it to 0: ${enter}sysctl -w ${BRIDGE_NF}=0 (whoever filters between containers of one network by iptables needs it at 1), or use --lab netns.`,
    },
  );
}
