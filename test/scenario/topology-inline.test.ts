import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { LabError } from "../../src/errors.ts";
import { loadCfgTopology } from "../../src/scenario/cfg.ts";
import { formatSubnet } from "../../src/scenario/subnet.ts";
import { DEFAULT_LINK, type Topology } from "../../src/scenario/topology.ts";
import { parseInlineTopology } from "../../src/scenario/topology-inline.ts";
import { topologyRefSchema } from "../../src/scenario/topology-schema.ts";
import { macOf } from "../../src/sim/nic.ts";
import { formatIpv4 } from "../../src/wire/ipv4.ts";

const folder = new URL("../../scenarios/topologies/", import.meta.url);
const load = (name: string): Topology => loadCfgTopology(name, (p) => readFileSync(new URL(p, folder), "utf8"));

/** The path of a key, in place of its file: each test sees which key an error points at. */
const ctx = {
  positionOf: (path: (string | number)[]) => ({ file: path.join("."), line: 1, column: 1 }),
  root: ["topology"],
  load,
};
const parse = (value: unknown): Topology => parseInlineTopology(value, ctx);

function failure(value: unknown): [string, string, string, string?] {
  try {
    parse(value);
  } catch (e) {
    expect(e).toBeInstanceOf(LabError);
    const { code, message, position, hint } = e as LabError;
    return [code, position!.file, message, hint];
  }
  return expect.unreachable("accepted");
}

const BASIC = {
  name: "basic",
  networks: {
    "basic-public": { subnet: "172.1.0.0/16", members: ["client", "egw", "node1", "nat"] },
    "basic-nat": { subnet: "172.2.0.0/16", members: ["nat", "node2"] },
  },
  hosts: {
    client: "client",
    egw: { role: "proxy", ip: "5.5.5.5" },
    node1: "server",
    node2: { role: "server", behind: "nat" },
    nat: "nat",
  },
};
const without = (t: Topology) => ({ ...t, source: undefined });

describe("a topology inside a scenario", () => {
  it("written out gives what the file gives", () => {
    expect(without(parse(BASIC))).toEqual(without(load("basic.cfg")));
  });

  it("generated with every count at 1 gives the same hosts and addresses", () => {
    const t = parse({ name: "basic", generate: {} });
    expect(new Map(t.hosts.map((h) => [h.name, h]))).toEqual(new Map(load("basic.cfg").hosts.map((h) => [h.name, h])));
  });

  it("may be a file's name", () => {
    expect(parse("2gw.cfg")).toEqual(load("2gw.cfg"));
  });

  it("finds the NAT of a server by itself", () => {
    const t = parse({ ...BASIC, hosts: { ...BASIC.hosts, node2: "server" } });
    expect(t.hosts.find((h) => h.name === "node2")?.behind).toBe("nat");
  });

  it("takes a client behind a NAT", () => {
    const t = parse({ ...BASIC, hosts: { ...BASIC.hosts, node2: { role: "client", behind: "nat" } } });
    expect(t.hosts.find((h) => h.name === "node2")).toMatchObject({ role: "client", behind: "nat", ipForward: false });
  });
});

describe("links", () => {
  const link = {
    delay: "1ms",
    jitter: "10us",
    rate: "100mbit",
    queue: 50,
    loss: "1%",
    duplicate: 0.02,
    reorder: "3%",
    reorder_delay: "2ms",
    corrupt: "4%",
  };
  const props = {
    delayNs: 1e6,
    jitterNs: 1e4,
    rateBps: 1e8,
    queue: 50,
    loss: 0.01,
    duplicate: 0.02,
    reorder: 0.03,
    reorderDelayNs: 2e6,
    corrupt: 0.04,
  };
  const linkOf = (t: Topology, host: string, i = 0) => t.hosts.find((h) => h.name === host)!.nics[i].link;

  it("are read in all their properties", () => {
    const t = parse({ extends: "basic.cfg", links: { "*": link } });
    expect(t.networks.map((n) => n.link)).toEqual([props, props]);
    expect(linkOf(t, "node2")).toEqual(props);
  });

  it("of a network, of one NIC, of all: the last one wins", () => {
    const t = parse({
      extends: "basic.cfg",
      links: { "*": { delay: "1ms" }, "basic-nat": { loss: "2%" }, "nat/eth2": { loss: 0 } },
    });
    expect(linkOf(t, "client")).toEqual({ ...DEFAULT_LINK, delayNs: 1e6 });
    expect(linkOf(t, "node2")).toEqual({ ...DEFAULT_LINK, delayNs: 1e6, loss: 0.02 });
    expect(linkOf(t, "nat", 1)).toEqual({ ...DEFAULT_LINK, delayNs: 1e6 });
    expect(linkOf(t, "nat", 0)).toEqual({ ...DEFAULT_LINK, delayNs: 1e6 });
  });

  it("stand at their network, too", () => {
    const nets = { ...BASIC.networks, "basic-nat": { ...BASIC.networks["basic-nat"], link: { rate: "1gbit" } } };
    const t = parse({ ...BASIC, networks: nets });
    expect(linkOf(t, "node2").rateBps).toBe(1e9);
    expect(linkOf(t, "client")).toEqual(DEFAULT_LINK);
  });

  it("do not change the topology that was extended", () => {
    const base = load("basic.cfg");
    const t = parseInlineTopology(
      { extends: "basic.cfg", links: { "*": { loss: "5%" } } },
      { ...ctx, load: () => base },
    );
    expect(base).toEqual(load("basic.cfg"));
    expect(t.networks[0].link.loss).toBe(0.05);
  });
});

describe("mistakes are named with their place", () => {
  it.each<[unknown, string, string, string]>([
    [{ extend: "basic.cfg" }, "ERR_TOPOLOGY_SYNTAX", "topology.extend", "unknown key 'extend'"],
    [
      { networks: { a: { subnt: "x", members: [] } } },
      "ERR_TOPOLOGY_SYNTAX",
      "topology.networks.a.subnt",
      "unknown key 'subnt'",
    ],
    [
      { extends: "basic.cfg", links: { "*": { dely: 1 } } },
      "ERR_TOPOLOGY_SYNTAX",
      "topology.links.*.dely",
      "unknown key 'dely'",
    ],
    [{}, "ERR_TOPOLOGY_SYNTAX", "topology", "says nothing"],
    [7, "ERR_TOPOLOGY_SYNTAX", "topology", "expected keys with values"],
    [{ extends: "basic.cfg", generate: {} }, "ERR_TOPOLOGY_SYNTAX", "topology.generate", "exclude each other"],
    [{ extends: "basic.cfg", hosts: {} }, "ERR_TOPOLOGY_SYNTAX", "topology.hosts", "exclude each other"],
    [{ extends: "basic.cfg", name: "x" }, "ERR_TOPOLOGY_SYNTAX", "topology.name", "exclude each other"],
    [{ ...BASIC, networks: {} }, "ERR_TOPOLOGY_MISSING", "topology", "no network"],
    [{ ...BASIC, name: "A b" }, "ERR_TOPOLOGY_NAME", "topology.name", "'A b'"],
    [
      { ...BASIC, hosts: { ...BASIC.hosts, node1: "sever" } },
      "ERR_TOPOLOGY_SYNTAX",
      "topology.hosts.node1",
      "expected client, proxy",
    ],
    [
      { ...BASIC, hosts: { ...BASIC.hosts, node1: { role: "server", pi: "1" } } },
      "ERR_TOPOLOGY_SYNTAX",
      "topology.hosts.node1.pi",
      "'pi'",
    ],
    [
      { ...BASIC, hosts: { ...BASIC.hosts, egw: "proxy" } },
      "ERR_TOPOLOGY_PROXY_IP",
      "topology.hosts.egw",
      "no public address",
    ],
    [
      { ...BASIC, hosts: { ...BASIC.hosts, node1: { role: "server", ip: "1.1.1.1" } } },
      "ERR_TOPOLOGY_PROXY_IP",
      "topology.hosts.node1.ip",
      "no proxy",
    ],
    [
      { ...BASIC, hosts: { ...BASIC.hosts, egw: { role: "proxy", ip: "172.2.0.9" } } },
      "ERR_TOPOLOGY_PROXY_IP",
      "topology.hosts.egw.ip",
      "lies in",
    ],
    [
      { ...BASIC, hosts: { ...BASIC.hosts, node2: { role: "server", behind: "egw" } } },
      "ERR_TOPOLOGY_NAT",
      "topology.hosts.node2.behind",
      "'egw' is not a NAT",
    ],
    [
      { ...BASIC, hosts: { ...BASIC.hosts, node1: { role: "server", behind: "nat" } } },
      "ERR_TOPOLOGY_NAT",
      "topology.hosts.node1.behind",
      "on the public network",
    ],
    [{ ...BASIC, hosts: {} }, "ERR_TOPOLOGY_UNKNOWN", "topology.networks.basic-public.members.0", "no host 'client'"],
    [{ generate: { nats: 255 } }, "ERR_TOPOLOGY_SYNTAX", "topology.generate.nats", "254"],
    [{ generate: { nats: -1 } }, "ERR_TOPOLOGY_SYNTAX", "topology.generate.nats", "from 0 to 254"],
    [
      { extends: "basic.cfg", links: { "*": { delay: 5 } } },
      "ERR_BAD_VALUE",
      "topology.links.*.delay",
      "it has no unit",
    ],
    [
      { extends: "basic.cfg", links: { "*": { loss: "101%" } } },
      "ERR_BAD_VALUE",
      "topology.links.*.loss",
      "probability",
    ],
    [{ extends: "basic.cfg", links: { "*": { queue: 0 } } }, "ERR_TOPOLOGY_SYNTAX", "topology.links.*.queue", "1"],
    [
      { extends: "basic.cfg", links: { "node2/eth2": {} } },
      "ERR_TOPOLOGY_UNKNOWN",
      "topology.links.node2/eth2",
      "no network or NIC",
    ],
    [
      { extends: "basic.cfg", links: { basic: {} } },
      "ERR_TOPOLOGY_UNKNOWN",
      "topology.links.basic",
      "no network or NIC",
    ],
  ])("%j", (value, code, place, message) => {
    expect(failure(value).slice(0, 3)).toEqual([code, place, expect.stringContaining(message)]);
  });

  it("with the word that was meant", () => {
    expect(failure({ extend: "basic.cfg" })[3]).toBe("Did you mean extends?");
    expect(failure({ extends: "basic.cfg", links: { "*": { dely: 1 } } })[3]).toContain("delay");
    expect(failure({ extends: "basic.cfg", links: { "node2/eth2": {} } })[3]).toContain("node2/eth1");
  });
});

describe("large topologies", () => {
  it("builds 1,000 nodes behind 100 NATs, all addresses and MACs different", () => {
    const t = parse({ generate: { nats: 100, nodes_per_nat: 10, nodes: 0, proxies: 2, clients: 3 } });
    expect(t.hosts).toHaveLength(1105);
    expect(t.hosts.filter((h) => h.behind !== undefined)).toHaveLength(1000);
    expect(t.hosts.at(-1)).toMatchObject({ name: "node1000", behind: "nat100", role: "server" });
    const addrs = t.hosts.flatMap((h) => h.nics.map((n) => n.addr));
    expect(new Set(addrs).size).toBe(addrs.length);
    expect(new Set(addrs.map(macOf)).size).toBe(addrs.length);
    const last = t.networks.at(-1)!;
    expect([last.name, formatSubnet({ base: last.subnet, prefix: last.prefix })]).toEqual([
      "lab-nat100",
      "172.101.0.0/16",
    ]);
    expect([...t.proxyIps.values()].map(formatIpv4)).toEqual(["5.5.5.5", "6.6.6.6"]);
  });

  it("gives every host behind a NAT routes via its own NAT", () => {
    const t = parse({ generate: { nats: 3, nodes_per_nat: 2 } });
    const node = t.hosts.find((h) => h.name === "node6")!;
    expect(node.behind).toBe("nat3");
    expect(node.routes.map((r) => formatIpv4(r.via))).toEqual(["172.4.0.2", "172.4.0.2"]);
  });
});

it("the schema can be written as JSON schema, and every key has a description", () => {
  const schema = z.toJSONSchema(topologyRefSchema, { io: "input" }) as {
    anyOf: { properties?: Record<string, { description?: string }> }[];
  };
  const { properties } = schema.anyOf[1];
  expect(Object.keys(properties!)).toEqual(["name", "extends", "generate", "networks", "hosts", "links"]);
  for (const p of Object.values(properties!)) expect(p.description).toBeTruthy();
});
