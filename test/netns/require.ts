/** Whether this machine can run labs of network namespaces; why not is in the skipped test's title. */
import { describe } from "vitest";
import { buildPrograms } from "../../src/ebpf/build.ts";
import { tryRun } from "../../src/ebpf/exec.ts";
import { ensureBpffs, requireBpf } from "../../src/ebpf/load.ts";
import { requireNetns } from "../../src/lab/netns/site.ts";
import { requirement } from "../support/require.ts";

function missing(): string | undefined {
  try {
    requireNetns();
    requireBpf();
    ensureBpffs();
    buildPrograms();
    // In a namespace without a name, which goes with the program: rules of NAT need parts of the kernel of their own.
    const rule = ["-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE"];
    const nat = tryRun("unshare", ["--net", "iptables", ...rule]);
    return nat.status === 0 ? undefined : `iptables: ${nat.stderr.trim().split("\n")[0]}`;
  } catch (err) {
    return (err as Error).message;
  }
}

const lacks = requirement("netns", missing);

/** `describe` for tests that need such labs: skipped with the reason, or failed where GUELAB_REQUIRE=netns. */
export function describeNetns(title: string, body: () => void): void {
  if (lacks === undefined) describe(title, body);
  else describe.skip(`${title} (skipped: ${lacks})`, body);
}
