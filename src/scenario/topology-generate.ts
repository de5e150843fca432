/**
 * Large topologies by numbers, such as 1,000 nodes behind 100 NATs.
 *
 * Public network 172.1.0.0/16; behind NAT k a network 172.(1+k).0.0/16. Proxy k owns (4+k).(4+k).(4+k).(4+k). With every
 * count at 1 hosts and addresses are those of basic.cfg.
 */
import type { Position } from "../errors.ts";
import type { Role } from "./topology.ts";
import type { RawHost, RawNatGroup, RawNetwork, RawProxyIp, RawTopology, RawWord } from "./topology-raw.ts";
import type { GenerateSpec } from "./topology-schema.ts";

/** The topology as written, with every word at the place of the `generate` key. */
export function generateRaw(spec: GenerateSpec, name: RawWord, position?: Position): RawTopology {
  const { clients = 1, proxies = 1, nodes = 1, nats = 1, nodes_per_nat = 1 } = spec;
  const word = (text: string): RawWord => ({ text, position });
  const hosts: RawHost[] = [];
  /** `base1`, `base2`, ...; just `base` where there is one. */
  const add = (role: Role, base: string, count: number): RawWord[] =>
    Array.from({ length: count }, (_, i) => {
      const host = word(count === 1 ? base : `${base}${i + 1}`);
      hosts.push({ name: host, role });
      return host;
    });
  const publicMembers = [...add("client", "client", clients)];
  const proxyIps = add("proxy", "egw", proxies).map((proxy, i): RawProxyIp => {
    publicMembers.push(proxy);
    return {
      proxy,
      ip: word(
        Array(4)
          .fill(5 + i)
          .join("."),
      ),
    };
  });
  let lastNode = 0;
  const node = (): RawWord => {
    const host = word(`node${++lastNode}`);
    hosts.push({ name: host, role: "server" });
    return host;
  };
  for (let i = 0; i < nodes; i++) publicMembers.push(node());
  const natWords = add("nat", "nat", nats);
  publicMembers.push(...natWords);
  const networks: RawNetwork[] = [
    { name: word(`${name.text}-public`), subnet: word("172.1.0.0/16"), members: publicMembers },
  ];
  const behind = natWords.map((nat, i): RawNatGroup => {
    const members = Array.from({ length: nodes_per_nat }, node);
    networks.push({
      name: word(`${name.text}-${nat.text}`),
      subnet: word(`172.${2 + i}.0.0/16`),
      members: [nat, ...members],
    });
    return { nat, hosts: members };
  });
  return { name, hosts, networks, proxyIps, behind, defaultBehind: false, links: [], position };
}
