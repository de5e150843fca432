// biome-ignore-all lint/suspicious/noTemplateCurlyInString: bash expansions are what is tested
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { LabError } from "../../src/errors.ts";
import { cfgTopology, loadCfgTopology } from "../../src/scenario/cfg.ts";
import { formatSubnet } from "../../src/scenario/subnet.ts";
import { gatewayRoutes, type Topology } from "../../src/scenario/topology.ts";
import { formatIpv4 } from "../../src/wire/ipv4.ts";

const folder = new URL("../../scenarios/topologies/", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, folder), "utf8");
const BASIC = read("basic.cfg");

const nics = (t: Topology): Record<string, string> =>
  Object.fromEntries(t.hosts.map((h) => [h.name, h.nics.map((n) => `${n.name} ${formatIpv4(n.addr)}`).join(", ")]));
const routes = (t: Topology, host: string): string[] =>
  t.hosts
    .find((h) => h.name === host)!
    .routes.map((r) => `${formatSubnet({ base: r.dst, prefix: r.prefix })} via ${formatIpv4(r.via)}`);

/** basic.cfg with one line replaced, added or removed. */
function changed(name: string, line: string | undefined): string {
  const lines = BASIC.split("\n").filter((l) => !l.startsWith(`${name}=`) || line !== undefined);
  const i = lines.findIndex((l) => l.startsWith(`${name}=`));
  if (i >= 0) lines[i] = line as string;
  else if (line !== undefined) lines.push(line);
  return lines.join("\n");
}

function failure(text: string): LabError {
  try {
    cfgTopology("t.cfg", text, read);
  } catch (e) {
    expect(e).toBeInstanceOf(LabError);
    return e as LabError;
  }
  return expect.unreachable("accepted");
}

/** The words in `text` at the error's place. */
function pointsAt(e: LabError, text: string): string {
  return text.split("\n")[e.position!.line - 1].slice(e.position!.column - 1);
}

describe("basic.cfg", () => {
  const t = loadCfgTopology("basic.cfg", read);

  it("hands out the demo's addresses", () => {
    expect(t.name).toBe("basic");
    expect(nics(t)).toEqual({
      client: "eth1 172.1.0.2",
      egw: "eth1 172.1.0.3",
      node1: "eth1 172.1.0.4",
      node2: "eth1 172.2.0.3",
      nat: "eth1 172.1.0.5, eth2 172.2.0.2",
    });
    expect(
      t.networks.map((n) => [n.name, formatSubnet({ base: n.subnet, prefix: n.prefix }), formatIpv4(n.gateway)]),
    ).toEqual([
      ["basic-public", "172.1.0.0/16", "172.1.0.1"],
      ["basic-nat", "172.2.0.0/16", "172.2.0.1"],
    ]);
  });

  it("gives each host its role and settings", () => {
    expect(
      t.hosts.map((h) => [h.name, h.role, h.ipForward, h.masquerade, h.behind, h.loopback.map(formatIpv4)]),
    ).toEqual([
      ["client", "client", false, undefined, undefined, []],
      ["egw", "proxy", true, undefined, undefined, ["5.5.5.5"]],
      ["node1", "server", true, undefined, undefined, []],
      ["node2", "server", true, undefined, "nat", []],
      ["nat", "nat", true, "eth1", undefined, []],
    ]);
  });

  it("sets the routes of the demo", () => {
    const onPublic = ["0.0.0.0/0 via 172.1.0.1", "5.5.5.5/32 via 172.1.0.3"];
    expect(routes(t, "client")).toEqual(onPublic);
    expect(routes(t, "node1")).toEqual(onPublic);
    expect(routes(t, "nat")).toEqual(onPublic);
    expect(routes(t, "egw")).toEqual(["0.0.0.0/0 via 172.1.0.1"]);
    expect(routes(t, "node2")).toEqual(["172.1.0.0/16 via 172.2.0.2", "5.5.5.5/32 via 172.2.0.2"]);
    expect(gatewayRoutes(t, "basic-public").map((r) => [formatIpv4(r.dst), formatIpv4(r.via)])).toEqual([
      ["5.5.5.5", "172.1.0.3"],
    ]);
    expect(gatewayRoutes(t, "basic-nat")).toEqual([]);
  });
});

describe("2gw.cfg", () => {
  const t = loadCfgTopology("2gw.cfg", read);

  it("has two proxies with an address each", () => {
    expect(t.name).toBe("2gw");
    expect(nics(t)).toEqual({
      client: "eth1 172.1.0.2",
      egw1: "eth1 172.1.0.3",
      egw2: "eth1 172.1.0.4",
      node1: "eth1 172.1.0.5",
      node2: "eth1 172.2.0.3",
      nat: "eth1 172.1.0.6, eth2 172.2.0.2",
    });
    expect([...t.proxyIps].map(([p, ip]) => `${p} ${formatIpv4(ip)}`)).toEqual(["egw1 5.5.5.5", "egw2 6.6.6.6"]);
  });

  it("lets every host reach both, each proxy the other one too", () => {
    expect(routes(t, "client")).toEqual([
      "0.0.0.0/0 via 172.1.0.1",
      "5.5.5.5/32 via 172.1.0.3",
      "6.6.6.6/32 via 172.1.0.4",
    ]);
    expect(routes(t, "egw1")).toEqual(["0.0.0.0/0 via 172.1.0.1", "6.6.6.6/32 via 172.1.0.4"]);
    expect(routes(t, "egw2")).toEqual(["0.0.0.0/0 via 172.1.0.1", "5.5.5.5/32 via 172.1.0.3"]);
    expect(routes(t, "node2").slice(1)).toEqual(["5.5.5.5/32 via 172.2.0.2", "6.6.6.6/32 via 172.2.0.2"]);
  });
});

describe("forms", () => {
  const plain = cfgTopology("t.cfg", BASIC, read);
  it.each([
    ["NETWORK_NAME", 'NETWORK_NAME=("${NAME_PREFIX}-public" "${NAME_PREFIX}-nat")'],
    ["NETWORK_SUBNET", 'NETWORK_SUBNET=("172.1.0.0/16" "172.2.0.0/16")'],
    ["NET_MAPPING", 'NET_MAPPING=("client egw node1 nat"\n  "nat node2")'],
    ["PROXY_IP", 'PROXY_IP=("foo" "5.5.5.5")'],
    ["PROXY_IP", 'PROXY_IP=("5.5.5.5")'],
    ["NAT_GW", 'NAT_GW=("foo" "node2")'],
    ["NAT_GW", 'NAT_GW=("node2")'],
    ["NAT_GW", 'NAT_GW="node2"'],
    ["NODES", undefined],
    ["SERVICE_DIR", 'SERVICE_DIR="/tmp/x"\nPRODUCTION_IMG="img:1"'],
  ])("%s as %s means the same", (name, line) => {
    const text = name === "NODES" ? changed("NODES", 'NODES="client egw node1 node2 nat"') : changed(name, line);
    expect(cfgTopology("t.cfg", text, read)).toEqual(plain);
  });

  it("takes a network that is really called foo", () => {
    const text = changed("NETWORK_NAME", 'NETWORK_NAME=("foo" "bar")');
    expect(cfgTopology("t.cfg", text, read).networks.map((n) => n.name)).toEqual(["foo", "bar"]);
  });

  it("lets a file include another and change it", () => {
    const t = cfgTopology("t.cfg", '. basic.cfg\nPROXY_IP="7.7.7.7"\n', read);
    expect([...t.proxyIps.values()].map(formatIpv4)).toEqual(["7.7.7.7"]);
  });

  it("reads a file without NATS and without NODES", () => {
    const text = `NAME_PREFIX="x"\nCLIENTS="c"\nPROXIES="p"\nSERVERS="s"\nNETWORK_NAME=("n")\nNETWORK_SUBNET=("10.0.0.0/29")\nNET_MAPPING=("c p s")\nPROXY_IP="5.5.5.5"`;
    expect(nics(cfgTopology("t.cfg", text, read))).toEqual({
      c: "eth1 10.0.0.2",
      p: "eth1 10.0.0.3",
      s: "eth1 10.0.0.4",
    });
  });
});

describe("mistakes are named with their place", () => {
  it.each<[string, string | undefined, string, string, string]>([
    [
      "NET_MAPPING",
      'NET_MAPPING=("foo" "client egw nod1 nat" "nat node2")',
      "ERR_TOPOLOGY_UNKNOWN",
      "no host 'nod1'",
      "nod1",
    ],
    [
      "NET_MAPPING",
      'NET_MAPPING=("foo" "client egw node1 nat client" "nat node2")',
      "ERR_TOPOLOGY_DUPLICATE",
      "'client' is twice",
      'client" "nat',
    ],
    [
      "NET_MAPPING",
      'NET_MAPPING=("foo" "client egw nat" "nat node2")',
      "ERR_TOPOLOGY_UNREACHABLE",
      "'node1' is in no network",
      "node1 node2",
    ],
    [
      "NET_MAPPING",
      'NET_MAPPING=("foo" "client node1 nat" "nat node2 egw")',
      "ERR_TOPOLOGY_UNREACHABLE",
      "proxy 'egw' is not on",
      "egw",
    ],
    [
      "NET_MAPPING",
      'NET_MAPPING=("foo" "egw node1 nat" "nat node2 client")',
      "ERR_TOPOLOGY_UNREACHABLE",
      "'client' is neither",
      "client",
    ],
    [
      "NET_MAPPING",
      'NET_MAPPING=("foo" "client egw node1 node2 nat" "node2")',
      "ERR_TOPOLOGY_NAT",
      "does not join",
      "nat",
    ],
    [
      "NET_MAPPING",
      'NET_MAPPING=("client egw node1 nat nat node2")',
      "ERR_TOPOLOGY_LENGTH",
      "1 values for 2 networks",
      "NET_MAPPING",
    ],
    ["NET_MAPPING", 'NET_MAPPING="client egw"', "ERR_TOPOLOGY_SYNTAX", "must be an array", "NET_MAPPING"],
    ["NETWORK_NAME", 'NETWORK_NAME=("foo" "a" "a")', "ERR_TOPOLOGY_DUPLICATE", "network 'a' is defined twice", 'a")'],
    ["NETWORK_NAME", 'NETWORK_NAME=("foo" "a b" "c")', "ERR_TOPOLOGY_SYNTAX", "found 2 words", 'b" "c'],
    ["NETWORK_NAME", 'NETWORK_NAME=("foo" "" "c")', "ERR_TOPOLOGY_SYNTAX", "found nothing", '"" "c'],
    [
      "NETWORK_SUBNET",
      'NETWORK_SUBNET=("foo" "172.1.0.0/16" "172.1.5.0/24")',
      "ERR_TOPOLOGY_SUBNET",
      "overlaps",
      "172.1.5.0/24",
    ],
    [
      "NETWORK_SUBNET",
      'NETWORK_SUBNET=("foo" "172.1.0.0/30" "172.2.0.0/16")',
      "ERR_TOPOLOGY_SUBNET",
      "too small",
      "172.1.0.0/30",
    ],
    [
      "NETWORK_SUBNET",
      'NETWORK_SUBNET=("foo" "172.1.0.1/16" "172.2.0.0/16")',
      "ERR_TOPOLOGY_SUBNET",
      "host bits",
      "172.1.0.1/16",
    ],
    [
      "NETWORK_SUBNET",
      'NETWORK_SUBNET=("foo" "172.1.0.0" "172.2.0.0/16")',
      "ERR_TOPOLOGY_SUBNET",
      "not in the form",
      "172.1.0.0",
    ],
    [
      "NETWORK_SUBNET",
      'NETWORK_SUBNET=("foo" "172.1.0.0/31" "172.2.0.0/16")',
      "ERR_TOPOLOGY_SUBNET",
      "prefix length",
      "172.1",
    ],
    [
      "NETWORK_SUBNET",
      'NETWORK_SUBNET=("foo" "224.1.0.0/16" "172.2.0.0/16")',
      "ERR_TOPOLOGY_SUBNET",
      "cannot have",
      "224",
    ],
    ["PROXY_IP", 'PROXY_IP="172.1.9.9"', "ERR_TOPOLOGY_PROXY_IP", "lies in 172.1.0.0/16", "172.1.9.9"],
    ["PROXY_IP", 'PROXY_IP="5.5.5"', "ERR_TOPOLOGY_PROXY_IP", "not an IPv4 address", "5.5.5"],
    ["PROXY_IP", 'PROXY_IP="127.0.0.1"', "ERR_TOPOLOGY_PROXY_IP", "cannot have it", "127"],
    [
      "PROXY_IP",
      'PROXY_IP=("5.5.5.5" "6.6.6.6")',
      "ERR_TOPOLOGY_LENGTH",
      "2 values for 1 hosts in PROXIES",
      "PROXY_IP",
    ],
    ["PROXY_IP", undefined, "ERR_TOPOLOGY_MISSING", "PROXY_IP is not set", "#!"],
    ["CLIENTS", 'CLIENTS="node1"', "ERR_TOPOLOGY_DUPLICATE", "host 'node1' is listed twice in NODES", ""],
    ["CLIENTS", 'CLIENTS="Client"', "ERR_TOPOLOGY_NAME", "'Client' cannot be the name", 'Client"'],
    ["CLIENTS", `CLIENTS='x;reboot'`, "ERR_TOPOLOGY_NAME", "cannot be the name", "x;reboot"],
    ["CLIENTS", 'CLIENTS="-x"', "ERR_TOPOLOGY_NAME", "cannot be the name", "-x"],
    ["CLIENTS", 'CLIENTS="12"', "ERR_TOPOLOGY_NAME", "cannot be the name", "12"],
    ["CLIENTS", `CLIENTS="${"x".repeat(64)}"`, "ERR_TOPOLOGY_NAME", "cannot be the name", "xxx"],
    ["NAME_PREFIX", 'NAME_PREFIX="../x"', "ERR_TOPOLOGY_NAME", "cannot be the name of a topology", "../x"],
    [
      "NODES",
      'NODES="${CLIENTS} ${PROXIES} ${SERVERS}"',
      "ERR_TOPOLOGY_ROLE",
      "'nat' has a role but is not in NODES",
      'nat"',
    ],
    [
      "NODES",
      'NODES="${CLIENTS} ${PROXIES} ${SERVERS} ${NATS} extra"',
      "ERR_TOPOLOGY_ROLE",
      "'extra' of NODES has no role",
      "extra",
    ],
    [
      "NODES",
      'NODES="${CLIENTS} ${CLIENTS} ${PROXIES} ${SERVERS} ${NATS}"',
      "ERR_TOPOLOGY_DUPLICATE",
      "twice in NODES",
      "client",
    ],
    ["NAT_GW", 'NAT_GW="node1"', "ERR_TOPOLOGY_NAT", "on the public network", "node1"],
    ["NAT_GW", 'NAT_GW="node9"', "ERR_TOPOLOGY_NAT", "no host 'node9'", "node9"],
    ["NAT_GW", 'NAT_GW="node2 node2"', "ERR_TOPOLOGY_NAT", "already", 'node2"'],
    ["NAT_GW", 'NAT_GW=""', "ERR_TOPOLOGY_UNREACHABLE", "'node2' is neither", "node2"],
    ["NAT_GW", 'NAT_GW=("a" "b" "c")', "ERR_TOPOLOGY_LENGTH", "3 values for 1 hosts in NATS", "NAT_GW"],
  ])("%s: %s", (name, line, code, message, place) => {
    const text = changed(name, line);
    const e = failure(text);
    expect([e.code, e.message]).toEqual([code, expect.stringContaining(message)]);
    expect(pointsAt(e, text).startsWith(place)).toBe(true);
    expect(e.hint).toBeTruthy();
  });

  it("names a host with two roles", () => {
    const text = BASIC.replace(/^NODES=.*$/m, "").replace('NATS="nat"', 'NATS="nat node1"');
    const e = failure(text);
    expect([e.code, e.message]).toEqual(["ERR_TOPOLOGY_DUPLICATE", "host 'node1' is defined twice (first at 13:10)"]);
    expect(pointsAt(e, text)).toBe('node1"');
  });

  it("points into the included file where the word was written", () => {
    const e = failure('. basic.cfg\nNET_MAPPING=("egw ${SERVERS} nat" "nat")\n');
    expect(e.code).toBe("ERR_TOPOLOGY_UNREACHABLE");
    expect(e.position?.file).toBe("basic.cfg");
    expect(pointsAt(e, BASIC)).toBe('client"');
  });
});
