import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { loadCfgTopology } from "../../src/scenario/cfg.ts";
import type { Topology } from "../../src/scenario/topology.ts";
import { drawTopology, formatTopology } from "../../src/scenario/topology-format.ts";
import { parseInlineTopology } from "../../src/scenario/topology-inline.ts";

const folder = new URL("../../scenarios/topologies/", import.meta.url);
const load = (name: string): Topology => loadCfgTopology(name, (p) => readFileSync(new URL(p, folder), "utf8"));
const ctx = { positionOf: () => ({ file: "t.yaml", line: 1, column: 1 }), load };

it("draws basic.cfg and lists its hosts", () => {
  expect(formatTopology(load("basic.cfg")).join("\n")).toBe(`basic: 5 hosts on 2 networks

  basic-public 172.1.0.0/16
   |
   +-- client  172.1.0.2
   +-- egw     172.1.0.3  [5.5.5.5]
   +-- node1   172.1.0.4
   +-- nat     172.1.0.5
         |
        basic-nat 172.2.0.0/16 (eth2 172.2.0.2)
         |
         +-- node2  172.2.0.3

  host    role    nic   address    network       notes
  client  client  eth1  172.1.0.2  basic-public
  egw     proxy   eth1  172.1.0.3  basic-public  owns 5.5.5.5
  node1   server  eth1  172.1.0.4  basic-public
  node2   server  eth1  172.2.0.3  basic-nat     behind nat
  nat     NAT     eth1  172.1.0.5  basic-public  masquerades to eth1
                  eth2  172.2.0.2  basic-nat`);
});

it("shows links that are not as by default", () => {
  const links = {
    "basic-nat": { delay: "5ms", rate: "10mbit", queue: 20 },
    "node2/eth1": { loss: "1%", reorder: "2%", jitter: "1ms" },
  };
  expect(formatTopology(parseInlineTopology({ extends: "basic.cfg", links }, ctx)).slice(-3)).toEqual([
    "  links",
    "  basic-nat   delay 5ms, rate 10mbit, queue 20",
    "  node2/eth1  delay 5ms, jitter 1ms, rate 10mbit, queue 20, loss 1%, reorder 2% by 1ms",
  ]);
});

it("draws several NATs under the public network", () => {
  expect(drawTopology(parseInlineTopology({ generate: { nats: 2 } }, ctx))).toEqual([
    "lab-public 172.1.0.0/16",
    " |",
    " +-- client  172.1.0.2",
    " +-- egw     172.1.0.3  [5.5.5.5]",
    " +-- node1   172.1.0.4",
    " +-- nat1    172.1.0.5",
    " |     |",
    " |    lab-nat1 172.2.0.0/16 (eth2 172.2.0.2)",
    " |     |",
    " |     +-- node2  172.2.0.3",
    " +-- nat2    172.1.0.6",
    "       |",
    "      lab-nat2 172.3.0.0/16 (eth2 172.3.0.2)",
    "       |",
    "       +-- node3  172.3.0.3",
  ]);
});

it("keeps the drawing of a large topology short, and lists every host", () => {
  const t = parseInlineTopology({ generate: { nats: 100, nodes_per_nat: 10, clients: 19, proxies: 0, nodes: 0 } }, ctx);
  const drawing = drawTopology(t);
  expect(drawing.at(-1)).toBe(" +-- and 99 more");
  expect(drawing.length).toBeLessThan(50);
  expect(formatTopology(t).filter((l) => l.includes("behind nat"))).toHaveLength(1000);
});
