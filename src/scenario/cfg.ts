/**
 * What the variables of a `.cfg` file say about a topology: roles, networks, addresses, NATs.
 *
 * Arrays may start with a dummy "foo" in place 0 (the demo's documented form) or not, each by itself: one element more
 * than there are networks, proxies or NATs, with "foo" in front, is the documented form.
 */
import { LabError, type Position } from "../errors.ts";
import { splitWords, textOf, type Word } from "./cfg-lexer.ts";
import {
  type CfgElement,
  type CfgFile,
  type CfgVariable,
  parseCfg,
  parseCfgText,
  type ReadFile,
} from "./cfg-parser.ts";
import type { Role, Topology } from "./topology.ts";
import { buildTopology } from "./topology-build.ts";
import type { RawHost, RawNatGroup, RawNetwork, RawProxyIp, RawTopology, RawWord } from "./topology-raw.ts";

const DUMMY = "foo";
const ROLE_LISTS: [string, Role][] = [
  ["CLIENTS", "client"],
  ["PROXIES", "proxy"],
  ["SERVERS", "server"],
  ["NATS", "nat"],
];

/** Reads and builds the topology of the `.cfg` file `path`. Throws LabError. */
export function loadCfgTopology(path: string, readFile: ReadFile): Topology {
  return buildTopology(rawFromCfg(parseCfg(path, readFile)));
}

/** As `loadCfgTopology`, for text that is at hand; `path` is what errors call it. */
export function cfgTopology(path: string, text: string, readFile: ReadFile): Topology {
  return buildTopology(rawFromCfg(parseCfgText(path, text, readFile)));
}

/** The topology that a parsed file describes, unchecked but complete. Throws ERR_TOPOLOGY_MISSING and ERR_TOPOLOGY_LENGTH. */
function rawFromCfg(file: CfgFile): RawTopology {
  return new Reader(file).read();
}

class Reader {
  private readonly file: CfgFile;
  private readonly start: Position;

  constructor(file: CfgFile) {
    this.file = file;
    this.start = { file: file.path, line: 1, column: 1 };
  }

  read(): RawTopology {
    const name = this.oneWord("NAME_PREFIX");
    const { hosts, byRole } = this.hosts();
    const proxies = byRole.get("proxy") ?? [];
    const nats = byRole.get("nat") ?? [];
    return {
      name,
      hosts: this.inOrderOfNodes(hosts),
      networks: this.networks(),
      proxyIps: this.proxyIps(proxies),
      behind: this.file.variables.has("NAT_GW") ? this.natGroups(nats) : [],
      defaultBehind: !this.file.variables.has("NAT_GW"),
      links: [],
      position: this.start,
    };
  }

  private hosts(): { hosts: RawHost[]; byRole: Map<Role, RawWord[]> } {
    const hosts: RawHost[] = [];
    const byRole = new Map<Role, RawWord[]>();
    for (const [list, role] of ROLE_LISTS) {
      const names = role === "nat" && !this.file.variables.has(list) ? [] : this.words(list);
      byRole.set(role, names);
      for (const word of names) hosts.push({ name: word, role });
    }
    return { hosts, byRole };
  }

  /** Sorts the hosts as NODES lists them; NODES and the role lists must name the same hosts. */
  private inOrderOfNodes(hosts: RawHost[]): RawHost[] {
    if (!this.file.variables.has("NODES")) return hosts;
    const rank = new Map<string, number>();
    const roles = new Set(hosts.map((h) => h.name.text));
    for (const node of this.words("NODES")) {
      if (rank.has(node.text)) {
        throw new LabError("ERR_TOPOLOGY_DUPLICATE", `host '${node.text}' is listed twice in NODES`, {
          position: node.position,
          hint: "List every host once.",
        });
      }
      if (!roles.has(node.text)) {
        throw new LabError("ERR_TOPOLOGY_ROLE", `host '${node.text}' of NODES has no role`, {
          position: node.position,
          hint: "List it in CLIENTS, PROXIES, SERVERS or NATS as well.",
        });
      }
      rank.set(node.text, rank.size);
    }
    for (const { name } of hosts) {
      if (rank.has(name.text)) continue;
      throw new LabError("ERR_TOPOLOGY_ROLE", `host '${name.text}' has a role but is not in NODES`, {
        position: name.position,
        hint: `Write NODES="\${CLIENTS} \${PROXIES} \${SERVERS} \${NATS}", or leave NODES out.`,
      });
    }
    return hosts.toSorted((a, b) => (rank.get(a.name.text) ?? 0) - (rank.get(b.name.text) ?? 0));
  }

  private networks(): RawNetwork[] {
    // A subnet is never called "foo", so this array tells how many networks there are.
    const all = this.array("NETWORK_SUBNET").elements;
    const subnets = all.length > 0 && textOf(all[0].fragments) === DUMMY ? all.slice(1) : all;
    const names = this.arrayOf("NETWORK_NAME", subnets.length, "networks in NETWORK_SUBNET");
    const members = this.arrayOf("NET_MAPPING", subnets.length, "networks in NETWORK_SUBNET");
    return subnets.map((subnet, i) => ({
      name: single(names[i], "a network's name"),
      subnet: single(subnet, "a subnet"),
      members: splitWords(members[i].fragments),
    }));
  }

  private proxyIps(proxies: RawWord[]): RawProxyIp[] {
    const v = this.file.variables.get("PROXY_IP");
    if (!v && proxies.length === 0) return [];
    const what = "hosts in PROXIES";
    const ips = v?.array
      ? this.arrayOf("PROXY_IP", proxies.length, what).map((e) => single(e, "an address"))
      : [this.oneWord("PROXY_IP")];
    if (ips.length !== proxies.length) {
      throw this.lengthError(v as CfgVariable, ips.length, proxies.length, what);
    }
    return ips.map((ip, i) => ({ proxy: proxies[i], ip }));
  }

  private natGroups(nats: RawWord[]): RawNatGroup[] {
    const v = this.need("NAT_GW");
    if (!v.array && nats.length !== 1) throw this.lengthError(v, 1, nats.length, "hosts in NATS");
    const groups = v.array ? this.arrayOf("NAT_GW", nats.length, "hosts in NATS") : v.elements;
    return groups.map((e, i) => ({ nat: nats[i], hosts: splitWords(e.fragments) }));
  }

  private need(name: string): CfgVariable {
    const v = this.file.variables.get(name);
    if (v) return v;
    throw new LabError("ERR_TOPOLOGY_MISSING", `${name} is not set`, {
      position: this.start,
      hint: "Needed: NAME_PREFIX, CLIENTS, PROXIES, SERVERS, NETWORK_NAME, NETWORK_SUBNET, NET_MAPPING and PROXY_IP.",
    });
  }

  private array(name: string): CfgVariable {
    const v = this.need(name);
    if (v.array) return v;
    throw new LabError("ERR_TOPOLOGY_SYNTAX", `${name} must be an array`, {
      position: v.position,
      hint: `Write ${name}=("foo" "first" "second").`,
    });
  }

  /** The elements of an array without its dummy; their number must be `count`. */
  private arrayOf(name: string, count: number, of: string): CfgElement[] {
    const v = this.array(name);
    const { elements } = v;
    if (elements.length === count + 1 && textOf(elements[0].fragments) === DUMMY) return elements.slice(1);
    if (elements.length === count) return elements;
    throw this.lengthError(v, elements.length, count, of);
  }

  private lengthError(v: CfgVariable, found: number, count: number, of: string): LabError {
    const dummy = v.array ? `, or ${count + 1} with a leading "${DUMMY}"` : "";
    return new LabError("ERR_TOPOLOGY_LENGTH", `${v.name} has ${found} values for ${count} ${of}`, {
      position: v.position,
      hint: `Give ${count} values in the same order${dummy}.`,
    });
  }

  /** The words of a list. */
  private words(name: string): Word[] {
    const v = this.need(name);
    if (v.array) {
      throw new LabError("ERR_TOPOLOGY_SYNTAX", `${name} must be a list of names in one string, not an array`, {
        position: v.position,
        hint: `Write ${name}="first second".`,
      });
    }
    return splitWords(v.elements[0].fragments);
  }

  private oneWord(name: string): Word {
    const v = this.need(name);
    if (v.array) {
      throw new LabError("ERR_TOPOLOGY_SYNTAX", `${name} must be one word, not an array`, {
        position: v.position,
        hint: `Write ${name}="word".`,
      });
    }
    return single(v.elements[0], name);
  }
}

/** The only word of an element. */
function single(element: CfgElement, what: string): Word {
  const words = splitWords(element.fragments);
  if (words.length === 1) return words[0];
  throw new LabError(
    "ERR_TOPOLOGY_SYNTAX",
    `expected ${what}, found ${words.length === 0 ? "nothing" : `${words.length} words`}`,
    {
      position: words[1]?.position ?? element.position,
      hint: "One word without blanks belongs here.",
    },
  );
}
