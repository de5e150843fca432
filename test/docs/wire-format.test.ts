/** docs/wire-format.md: its dumps are what the reference makes of its tables, its tables say what the code does. */
import { describe, expect, it } from "vitest";
import { parseVector } from "../../src/dataplane/vector.ts";
import { runVector } from "../../src/dataplane/vector-run.ts";
import { SimLab } from "../../src/lab/sim/lab.ts";
import { captureBytes } from "../../src/report/capture.ts";
import { loadTopology } from "../../src/scenario/load.ts";
import { runScenario } from "../../src/scenario/runner.ts";
import { readScenario } from "../../src/scenario/scenario-yaml.ts";
import { buildPacket } from "../../src/wire/build.ts";
import { fromHex, toHex } from "../../src/wire/bytes.ts";
import {
  GUE_DATA_HLEN,
  GUE_GROUP,
  GUE_KEY,
  GUE_OVERHEAD,
  GUE_PING_LEN,
  GUE_SERVICE,
  GUE_TUNNEL_ID,
} from "../../src/wire/gue.ts";
import { parseGue } from "../../src/wire/repr-gue.ts";
import { itWith, tshark, withFile } from "../support/tools.ts";
import { blocksOf, codesIn, readRepo, tableRows } from "./page.ts";

const page = readRepo("docs/wire-format.md");
const blocks = blocksOf(page);

function block(info: string): string {
  const found = blocks.filter((b) => b.info === info);
  expect(found.length, info).toBe(1);
  return found[0].text;
}

/** The bytes of an annotated dump; its offsets must be right. */
function bytesOf(info: string): Uint8Array {
  let hex = "";
  for (const line of block(info).trimEnd().split("\n")) {
    const [, offset, bytes] = /^ *(\d+) {2}((?:[0-9a-f]{2} ?)+?)(?: {2,}\S.*)?$/.exec(line) ?? [];
    expect(bytes, line).toBeDefined();
    expect(Number(offset), line).toBe(hex.length / 2);
    hex += bytes.replaceAll(" ", "");
  }
  return fromHex(hex) as Uint8Array;
}

type Tables = Record<string, Record<string, Record<string, unknown>>>;
const tables = JSON.parse(block("json tables")) as Tables;

/** What the page's tables make of one frame. */
function run(
  hook: "ingress" | "egress",
  frame: Uint8Array,
  using: Tables = tables,
): { reason: string; out: string; after: Tables } {
  const vector = { name: "page", tables: using, packets: [{ hook, ifindex: 2, in: toHex(frame) }] };
  const { json } = runVector(parseVector(JSON.stringify(vector)));
  const { reason, out } = (json.packets as Record<string, string>[])[0];
  return { reason, out, after: json.after as Tables };
}
const unresolved = { ...tables, tunnel: { "65736": { ...tables.tunnel["65736"], remote: "0.0.0.0:0" } } };

describe("docs/wire-format.md", () => {
  it("has no dump that is not compared", () => {
    expect(blocks.map((b) => b.info).filter((i) => i !== "")).toEqual([
      "json tables",
      "hex data in",
      "hex data out",
      "hex ping",
      "hex older ping payload",
      "hex fragmentation needed",
    ]);
  });

  it("the data packet", () => {
    const { reason, out } = run("egress", bytesOf("hex data in"));
    expect(reason).toBe("PASS_ENCAP");
    expect(out).toBe(toHex(bytesOf("hex data out")));
  });

  it("the data packet comes back as it was", () => {
    const out = bytesOf("hex data out");
    const node = { ...tables, config: { "2": { rx: "gue" } }, decap: { "172.1.0.5:6000": 65736 } } as unknown as Tables;
    const decap = run("ingress", out, node);
    expect(decap.reason).toBe("PASS_DECAP");
    expect(decap.out.slice(28)).toBe(toHex(bytesOf("hex data in")).slice(28));
  });

  it("the ping, in both forms", () => {
    const ping = bytesOf("hex ping");
    const older = buildPacket({
      ip: { src: "172.1.0.5", dst: "172.1.0.3" },
      udp: { sport: 6000, dport: 5000 },
      payload: bytesOf("hex older ping payload"),
    });
    for (const frame of [ping, older]) {
      const { reason, after } = run("ingress", frame, unresolved);
      expect(reason).toBe("PING_CONSUMED");
      expect(after.tunnel["65736"].remote).toBe("172.1.0.5:6000");
    }
    expect(parseGue(ping.slice(42))).toMatchObject({ kind: "ping", group: 1, service: 200, tunnelId: 65736 });
  });

  it("the ICMP error", () => {
    const small = bytesOf("hex data in");
    const big = buildPacket({
      eth: { dst: "02:42:ac:01:00:01", src: "02:42:ac:01:00:03" },
      ip: { src: "172.1.0.2", dst: "2.2.2.2", id: 0x1235, df: true, ttl: small[22] },
      tcp: { sport: 40000, dport: 4000, seq: 1001 },
      payload: new Uint8Array(1460),
    });
    expect(big.length).toBe(14 + 1500);
    const { reason, out } = run("egress", big);
    expect(reason).toBe("REDIRECT_FRAG_NEEDED");
    expect(out).toBe(toHex(bytesOf("hex fragmentation needed")));
  });

  it("plain GUE passes", () => {
    const plain = buildPacket({
      ip: { src: "172.1.0.5", dst: "172.1.0.3" },
      udp: { sport: 6000, dport: 5000 },
      payload: fromHex("00040000") as Uint8Array,
    });
    expect(run("ingress", plain).reason).toBe("PASS_GUE_PLAIN");
  });

  it("the fields' places are those of the code", () => {
    const [data, ping] = page.split("| bytes | field | value |").slice(1);
    const start = (part: string, field: string): number =>
      Number(
        tableRows(`| bytes | field | value |${part}`, "| bytes | field | value |")
          .find((r) => r[1] === field)?.[0]
          .split("-")[0],
      );
    const head = GUE_OVERHEAD - GUE_DATA_HLEN;
    for (const [field, offset] of [
      ["group id", GUE_GROUP],
      ["service id", GUE_SERVICE],
      ["security field", GUE_KEY],
    ] as const) {
      expect(start(data, field)).toBe(head + offset);
      expect(start(ping, field)).toBe(offset);
    }
    expect(start(data, "inner packet")).toBe(GUE_OVERHEAD);
    expect(start(ping, "tunnel id")).toBe(GUE_TUNNEL_ID);
    expect(page).toContain(`| ${GUE_TUNNEL_ID}-${GUE_PING_LEN - 1} | tunnel id |`);
  });

  it("the sizes follow from the MTU", () => {
    for (const [mtu, inner, udp, mss] of tableRows(page, "| MTU | inner packet | UDP payload | TCP MSS |")) {
      expect(Number(inner)).toBe(Number(mtu) - GUE_OVERHEAD);
      expect(Number(udp)).toBe(Number(inner) - 28);
      expect(Number(mss)).toBe(Number(mtu) - 92);
    }
  });

  it("what is not accepted is dropped for the reason shown", () => {
    const data = bytesOf("hex data out");
    const ping = bytesOf("hex ping");
    const edit = (frame: Uint8Array, at: number, ...bytes: number[]): Uint8Array => {
      const out = frame.slice();
      out.set(bytes, at);
      return out;
    };
    // Data that arrives at egw's end of the tunnel.
    const back = edit(data, 26, 0xac, 1, 0, 5, 0xac, 1, 0, 3, 0x17, 0x70, 0x13, 0x88);
    const wrong: Record<string, Uint8Array[]> = {
      DROP_GUE_SHORT: [edit(ping, 38, 0, 11)],
      DROP_GUE_VERSION: [edit(ping, 42, 0x66), edit(back, 42, 0x45)],
      DROP_CTRL_HLEN: [edit(ping, 42, 0x24)],
      DROP_CTRL_TYPE: [edit(ping, 43, 2)],
      DROP_CTRL_FLAGS: [edit(ping, 44, 0x80)],
      DROP_DATA_HLEN: [edit(back, 42, 0x04)],
      DROP_DATA_PROTO: [edit(back, 43, 41)],
      DROP_DATA_FLAGS: [edit(back, 44, 0x20)],
      DROP_NO_SERVICE: [edit(back, 49, 0xc9), edit(ping, 49, 0xc9)],
      DROP_WRONG_KEY: [edit(back, 50, 0x36), edit(ping, 65, 0x20)],
      DROP_PING_TUNNEL: [edit(ping, 69, 0xc9)],
      DROP_INNER_VERSION: [edit(back, 66, 0x65)],
      DROP_INNER_TOTLEN: [edit(back, 69, 0x2d)],
    };
    for (const [reason, frames] of Object.entries(wrong))
      for (const frame of frames) expect(run("ingress", frame).reason).toBe(reason);
    expect(run("ingress", back).reason).toBe("PASS_DECAP");
    const shown = tableRows(page, "| what | must be | else |").flatMap((r) => codesIn(r[2]));
    expect(shown).toEqual(Object.keys(wrong));
  });

  itWith("tshark", "the filters find the packets", async () => {
    const text = readRepo("scenarios/basic/02-node2-behind-nat.yaml");
    const scenario = readScenario(text, { file: "02", loadTopology: (name, at) => loadTopology(name, ".", at) });
    const lab = new SimLab(scenario.topology, { seed: 1, record: true });
    await runScenario(scenario, lab);
    const capture = captureBytes(lab.packets(), scenario.topology);
    const gue = lab.packets().filter((p) => p.host === "egw" && toHex(p.frame).includes("0504a000000100c8")).length;
    withFile("02.pcapng", capture, (path) => {
      const count = (filter: string): number => tshark(path, ["-Y", filter]).out.split("\n").length - 1;
      const egw = 'frame.interface_name == "egw/eth1"';
      expect(gue).toBeGreaterThan(0);
      expect(count(`${egw} && data.data[0:4] == 05:04:a0:00`)).toBe(gue);
      expect(count(`${egw} && data.data[0:4] == 26:01:a0:00`)).toBe(1);
      expect(count('frame.comment contains "PASS_ENCAP"')).toBeGreaterThan(0);
    });
  });
});
