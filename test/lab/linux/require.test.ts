/** What a lab on real Linux asks of the machine before it makes anything. */
import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { requireNeighbours } from "../../../src/lab/linux/require.ts";
import { loadTopology } from "../../../src/scenario/load.ts";

/** Machines set it to some ten thousand at most. */
const HOSTS = 1_000_000;

const hidden = !existsSync("/proc/sys/net/ipv4/neigh/default/gc_thresh3");

it.skipIf(hidden)("refuses more neighbours than the kernel's one table holds, and says which number it takes", () => {
  const basic = loadTopology("basic.cfg");
  requireNeighbours(basic);
  const nat = basic.hosts.find((h) => h.nics.length === 2)!;
  const refused = () => requireNeighbours({ ...basic, hosts: Array(HOSTS).fill(nat) });
  expect(refused).toThrow(expect.objectContaining({ code: "ERR_NEIGH_TABLE" }));
  expect(refused).toThrow(/gc_thresh3 is \d+, and 40\d\d\d\d\d are needed/);
});
