/** What the docker lab needs of the machine, looked at before anything is made. */
import { libc } from "../../ebpf/libc.ts";
import { requireTools } from "../linux/require.ts";
import { type Daemon, findDaemon, openDaemonNs, refuseBridgeNf } from "./daemon.ts";
import { requireImage } from "./image.ts";

/** Programs of the machine that the lab runs, and Debian's packages of them; the others are the image's. */
const TOOLS: Readonly<Record<string, string>> = {
  ip: "iproute2",
  tc: "iproute2",
  bpftool: "bpftool",
  iptables: "iptables",
  nsenter: "util-linux",
  setpriv: "util-linux",
};

export interface DockerFacts {
  daemon: Daemon;
}

/**
 * Throws LabError ERR_NO_ROOT, ERR_NO_PROGRAM, ERR_NO_KOFFI, ERR_NO_DOCKER, ERR_DOCKER_REMOTE, ERR_NO_IMAGE, ERR_IMAGE_OTHER,
 * ERR_BRIDGE_NF.
 */
export function requireDocker(image: string): DockerFacts {
  requireTools("docker", TOOLS);
  libc();
  const daemon = findDaemon();
  requireImage(image);
  const ns = openDaemonNs(daemon);
  try {
    refuseBridgeNf(daemon, ns);
  } finally {
    ns.close();
  }
  return { daemon };
}
