import { beforeEach, describe, expect, test } from "vitest";
import { SimLab } from "../../../src/lab/sim/lab.ts";
import type { CommandResult } from "../../../src/scenario/lab.ts";
import { loadTopology } from "../../../src/scenario/load.ts";
import { parseCommand } from "../../../src/scenario/parse-command.ts";
import { topologyContext } from "../../../src/scenario/topology-context.ts";

let lab: SimLab;
beforeEach(() => {
  lab = new SimLab(loadTopology("basic.cfg"), { record: true });
});

const run = (line: string): Promise<CommandResult> => lab.run(parseCommand(line, topologyContext(lab.topology)));
const refused = (line: string, code: string) => expect(run(line), line).rejects.toMatchObject({ code });

describe("topo_*", () => {
  test("take the lab's own topology, by file or name, and refuse another", async () => {
    await refused("topo_cleanup 2gw.cfg", "ERR_TOPOLOGY_OTHER");
    await run("topo_check ./scenarios/topologies/basic.cfg");
    await run("topo_cleanup basic.cfg");
    await refused("topo_setup 2gw.cfg", "ERR_TOPOLOGY_OTHER");
    expect(lab.isUp).toBe(false);
    await run("topo_setup basic some-image");
    expect((await run("client ping -c 1 5.5.5.5")).data.received).toBe(1);
  });
});

describe("http_start", () => {
  test("refuses addresses that no host can hold", async () => {
    for (const ip of ["0", "0.0.0.0", "224.0.0.1", "255.255.255.255"])
      await refused(`http_start node1 ${ip} 4000 100`, "ERR_ADDRESS");
    expect((await run("node1 ip addr")).output).toEqual(["lo: 127.0.0.1/8", "eth1: 172.1.0.4/16"]);
  });
});
