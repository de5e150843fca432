/** The drawing's layout: every box in sight, none over another, and in large topologies those that are asked for. */
import { expect, it } from "vitest";
import { type LayoutInput, layoutTopology } from "../../web/src/net/layout.ts";

/** One public network with a client, a proxy and `nats` NATs, each with `nodes` nodes behind it. */
function topology(nats: number, nodes: number): LayoutInput {
  const networks = [{ name: "public", members: ["client", "egw"] }];
  const hosts: LayoutInput["hosts"][number][] = [
    { name: "client", role: "client", nics: [{ name: "eth1", network: "public" }] },
    { name: "egw", role: "proxy", nics: [{ name: "eth1", network: "public" }] },
  ];
  for (let n = 1; n <= nats; n++) {
    const network = { name: `private${n}`, members: [`nat${n}`] };
    networks[0].members.push(`nat${n}`);
    networks.push(network);
    const nics = ["public", network.name].map((name, i) => ({ name: `eth${i + 1}`, network: name }));
    hosts.push({ name: `nat${n}`, role: "nat", nics });
    for (let m = 1; m <= nodes; m++) {
      network.members.push(`node${n}.${m}`);
      hosts.push({ name: `node${n}.${m}`, role: "server", nics: [{ name: "eth1", network: network.name }] });
    }
  }
  return { networks, hosts };
}

for (const wide of [true, false])
  it(`puts every host in sight, none over another (${wide ? "wide" : "narrow"})`, () => {
    const { hosts, width, height, hidden } = layoutTopology(topology(3, 3), wide);
    const boxes = [...hosts.values()];
    expect(boxes).toHaveLength(14);
    expect(hidden.size).toBe(0);
    for (const [i, a] of boxes.entries()) {
      expect(a.x >= 0 && a.y >= 0 && a.x + a.w <= width && a.y + a.h <= height).toBe(true);
      for (const b of boxes.slice(i + 1))
        expect(a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y).toBe(true);
    }
  });

it("draws few of a thousand hosts, those of the packet's way among them", () => {
  const { hosts, networks, hidden } = layoutTopology(topology(100, 10), true, new Set(["nat77", "node77.5"]));
  expect([...hosts.keys()]).toEqual(expect.arrayContaining(["client", "egw", "nat77", "node77.5"]));
  expect(hosts.size).toBeLessThan(12);
  expect(hidden.get("public")).toBe(100 - [...hosts.keys()].filter((h) => h.startsWith("nat")).length);
  expect(networks.has("private78")).toBe(false);
});
