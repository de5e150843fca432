import { beforeEach, describe, expect, test } from "vitest";
import { SimLab } from "../../../src/lab/sim/lab.ts";
import { COMMANDS } from "../../../src/scenario/commands.ts";
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

test("every value that a command gives is declared, so that scenarios can expect it", async () => {
  const lines = [
    "http_start node1 1.1.1.1 4000 100",
    "node1 udp_serve 1.1.1.1 4000 101",
    "egw pfc_start eth1 egw 11 11 5000 5010",
    "egw pfc_add eth1 1 100 abcdefgh12345678 172.1.0.4 6000 tcp 5.5.5.5 3100 1.1.1.1 4000",
    "egw port_alloc",
    "egw port_list",
    "egw conntrack -L",
    "node1 curl http://1.1.1.1:4000/hello",
    "client ping -c 1 172.9.0.1",
    "node1 udp 1.1.1.1 4000 100",
    "client sysctl net.ipv4.ip_forward",
    "client send eth1 ffffffffffff0200000000010800",
    "client send_gue ping --to 172.1.0.3:5000",
    "link egw/eth1 delay 1ms",
    "pktdump egw eth1",
    "test_icmp 5.5.5.5",
    "topo_check basic.cfg",
  ];
  const values = new Set<string>();
  for (const line of lines) {
    const command = parseCommand(line, topologyContext(lab.topology));
    const { error: _, ...data } = (await lab.run(command)).data;
    for (const name of Object.keys(data)) values.add(`${command.spec.name} ${name}`);
  }
  const declared = COMMANDS.flatMap((c) => Object.keys(c.results ?? {}).map((name) => `${c.name} ${name}`));
  expect([...values].sort()).toEqual(declared.sort());
});

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

describe("the Linux-only path", () => {
  test("services on one address share the route, which goes with the last of them", async () => {
    for (const [id, port] of [
      [100, 4000],
      [101, 4001],
    ]) {
      await run(`http_start node1 1.1.1.1 ${port} ${id}`);
      await run(`egw_setup egw ${id} tcp 1.1.1.1 ${port} 172.1.0.4 6080 5.5.5.5 3${id} 10.1.1.${id}`);
      await run(`pfc_setup node1 ${id} tcp 1.1.1.1 ${port} 172.1.0.3 6080 10.1.1.${id}`);
    }
    const routes = (await run("egw ip route")).output;
    await run("egw_cleanup egw 100");
    expect((await run("client curl -m 2 http://5.5.5.5:3101/hello")).data.body).toContain("HELLO '101'");
    expect((await run("client curl -m 2 http://5.5.5.5:3100/hello")).data.error).toBe("ECONNREFUSED");
    expect((await run("egw ip route")).output).toEqual(routes);
    await run("egw_cleanup egw 101");
    expect((await run("egw ip route")).output).toEqual(routes.filter((line) => !line.startsWith("1.1.1.1")));
  });

  test("one service address behind two nodes is refused: it has one route", async () => {
    await run("egw_setup egw 100 tcp 1.1.1.1 4000 172.1.0.4 6080 5.5.5.5 3100 10.1.1.100");
    await refused("egw_setup egw 101 tcp 1.1.1.1 4001 172.1.0.5 6080 5.5.5.5 3101 10.1.1.101", "ERR_TUNNEL_CLASH");
    expect((await run("egw ip addr")).output).not.toContain("gue101: 10.1.1.101/32");
  });
});

test("a packet that a hook made longer than the interface takes is one that needs fragmentation, as the kernel's lookup says", async () => {
  await run("egw pfc_start eth1 egw 11 11 5000 5010");
  await run("egw pfc_add eth1 1 100 abcdefgh12345678 172.1.0.4 6000 udp 5.5.5.5 3100 1.1.1.1 4000");
  await run("egw ping -c 1 172.1.0.4");
  // In CONFIG the MTU is still 1500.
  await run("egw ip link set eth1 mtu 1400");
  const sent = async (payload: number) => {
    await run(`egw udp --no-reply 1.1.1.1 4000 ${payload}`);
    await lab.wait(1e8);
    const { output } = await run("counters egw");
    return output.filter((line) => line.includes("FIB_")).map((line) => line.trim().split(/ +/, 2).join(" "));
  };
  // 1,400 bytes and a VLAN tag's four: the lookup would take it, the interface does not.
  expect(await sent(1400 + 4 - 52 - 28)).toEqual(["FIB_SUCCESS 1"]);
  expect(await sent(1400 + 5 - 52 - 28)).toEqual(["FIB_SUCCESS 1", "FIB_FRAG_NEEDED 1"]);
  expect(lab.drops().map((d) => [d.host, d.where])).toEqual([
    ["egw", "nic"],
    ["egw", "nic"],
  ]);
});
