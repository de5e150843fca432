/**
 * What of a lab a daemon has: containers and networks by their label, so that those of a killed run are found by the next,
 * and nobody else's is touched.
 */
import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { LabError } from "../../errors.ts";
import { labName, removeClaim, removePinsOf } from "../linux/claim.ts";
import { hostDir } from "../live/paths.ts";
import { docker, LAB_LABEL, settled, tryDocker } from "./cli.ts";

const labelled = (prefix: string): string[] => ["--filter", `label=${LAB_LABEL}=${prefix}`];
const words = (text: string): string[] => text.split(/\s+/).filter(Boolean);

/** Names of a lab's containers and networks. */
export function labObjects(prefix: string): { containers: string[]; networks: string[] } {
  return {
    containers: words(docker(["ps", "--all", "--format", "{{.Names}}", ...labelled(prefix)])),
    networks: words(docker(["network", "ls", "--format", "{{.Name}}", ...labelled(prefix)])),
  };
}

/** Has a daemon anything of a lab? False also where docker is not installed or does not answer. */
export function hasObjects(prefix: string): boolean {
  try {
    const { containers, networks } = labObjects(prefix);
    return containers.length + networks.length > 0;
  } catch (err) {
    if (err instanceof LabError) return false;
    throw err;
  }
}

/** Removes the containers, networks, sockets and pins of a lab. Throws LabError ERR_DOCKER. */
export function removeObjects(prefix: string): void {
  try {
    settled(prefix);
    const { containers, networks } = labObjects(prefix);
    if (containers.length + networks.length === 0) return;
    // Both say what they could not remove; whoever else removed it meanwhile has done the same.
    if (containers.length > 0) tryDocker(["rm", "--force", "--volumes", ...containers]);
    if (networks.length > 0) tryDocker(["network", "rm", ...networks]);
    const left = labObjects(prefix);
    const first = [...left.containers, ...left.networks][0];
    if (first !== undefined)
      throw new LabError("ERR_DOCKER", `docker does not remove ${first} of the lab '${prefix}'`, {
        hint: "Remove it by hand: docker rm --force NAME, docker network rm NAME.",
      });
  } finally {
    removePinsOf(prefix);
    rmSync(dirname(hostDir(prefix, "host")), { recursive: true, force: true });
  }
}

/** Also the claim, last: where something stays, the next lab of the prefix tries again. */
export function removeLab(prefix: string): void {
  removeObjects(prefix);
  removeClaim(prefix);
}

/** Throws LabError ERR_NAME_TAKEN where a container or network that no lab made has a name of the lab's. */
export function refuseTaken(prefix: string): void {
  const start = labName(prefix, "");
  const named = (kind: string, undo: string, args: readonly string[], field: string): void => {
    const format = `{{.${field}}}\t{{.Label "${LAB_LABEL}"}}`;
    const lines = docker([...args, "--filter", `name=${start}`, "--format", format]).split("\n");
    const [taken] = lines.map((l) => l.split("\t")).filter(([name, lab]) => name.startsWith(start) && lab !== prefix);
    if (taken !== undefined)
      throw new LabError("ERR_NAME_TAKEN", `the ${kind} ${taken[0]} exists, and no lab made it`, {
        hint: `Give another name with --prefix, or remove it: ${undo} ${taken[0]}`,
      });
  };
  named("container", "docker rm", ["ps", "--all"], "Names");
  named("network", "docker network rm", ["network", "ls"], "Name");
}
