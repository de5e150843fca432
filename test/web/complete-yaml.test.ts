/** What the editor of the page offers at the cursor, marked by | in these texts. */
import { describe, expect, it } from "vitest";
import { loadTopology } from "../../src/scenario/load.ts";
import { topologyContext } from "../../src/scenario/topology-context.ts";
import { suggestYaml } from "../../web/src/whatif/complete-yaml.ts";

const ctx = topologyContext(loadTopology("basic.cfg"));

function offers(text: string): { labels: string[]; word: string } {
  const before = text.slice(0, text.indexOf("|"));
  const found = suggestYaml(before, ctx, ["basic.cfg", "2gw.cfg"]);
  return { labels: found?.options.map((o) => o.label) ?? [], word: found ? before.slice(found.from) : "" };
}

describe("the editor offers", () => {
  it.each<[string, string, string, string[], string[]]>([
    ["keys of the file", "ti|", "ti", ["title"], ["steps"]],
    ["all keys of the file", "title: x\n|", "", ["title", "topology", "steps", "sysctl", "links"], ["do", "$schema"]],
    ["topologies", "topology: ba|", "ba", ["basic.cfg"], ["2gw.cfg"]],
    ["keys and commands of a step", "steps:\n  - |", "", ["do", "until", "wait", "egw", "http_start"], ["title"]],
    ["hosts", "steps:\n  - do: eg|", "eg", ["egw"], ["client"]],
    ["a host's commands", "steps:\n  - do: egw pfc_|", "pfc_", ["pfc_start", "pfc_add"], ["http_start"]],
    ["a host's interfaces", "steps:\n  - egw pfc_start |", "", ["eth1"], []],
    ["options", "steps:\n  - client curl --|", "--", ["--data-size", "--max-time"], ["-m"]],
    ["keys of a step below do", "steps:\n  - do: client ping 5.5.5.5\n    ex|", "ex", ["expect"], []],
    ["state", "steps:\n  - until: tun|", "tun", ["tunnel"], []],
    ["state in a list", "steps:\n  - until:\n      - se|", "se", ["session", "service"], []],
    ["hosts of a state", "steps:\n  - expect: tunnel |", "", ["egw", "nat"], ["gateway"]],
    ["fields of a packet", "steps:\n  - expect: { packet: { d|", "d", ["direction", "dst", "dport"], ["do"]],
    ["fields of an inner packet", "steps:\n  - expect: { packet: { inner: { tt|", "tt", ["ttl"], []],
    ["hosts of settings", "sysctl:\n  |", "", ["nat", "egw"], ["title"]],
    [
      "settings",
      "sysctl:\n  nat:\n    net.netfilter.nf_conntrack_udp|",
      "net.netfilter.nf_conntrack_udp",
      ["net.netfilter.nf_conntrack_udp_timeout"],
      [],
    ],
  ])("%s", (_, text, word, some, others) => {
    const found = offers(text);
    expect(found.word).toBe(word);
    expect(found.labels).toEqual(expect.arrayContaining(some));
    for (const other of others) expect(found.labels).not.toContain(other);
    expect(new Set(found.labels).size).toBe(found.labels.length);
  });

  it("nothing in a comment, and nothing inside a value that is not known", () => {
    expect(offers("# ti|").labels).toEqual([]);
    expect(offers("title: some |").labels).toEqual([]);
    expect(offers('steps:\n  - expect: { body: "he|').labels).toEqual([]);
  });
});
