import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { explain, explainCommand } from "../../src/cli/explain.ts";
import { LabError } from "../../src/errors.ts";
import { plain } from "../../src/report/paint.ts";
import { buildPacket } from "../../src/wire/build.ts";
import { toHex } from "../../src/wire/bytes.ts";
import { PcapngWriter, pcapngBuffer } from "../../src/wire/pcapng.ts";
import { FRAMES } from "../support/frames.ts";
import { withFile } from "../support/tools.ts";

const KEY = "35657276316365504035357730726421";
const TABLES = {
  config: { "7": { rx: "gue+dnat", tx: "proxy+snat", mtu: 1500 } },
  tunnel: { "65736": { local: "172.1.0.3:5000", remote: "0.0.0.0:0" } },
  decap: { "172.1.0.3:5000": 65736 },
  encap: { "tcp 2.2.2.2:4000": { tunnel: 65736, group: 1, service: 200, key: KEY } },
  verify: { "1/200": { key: KEY, tunnel: 65736, proxy: "tcp 5.5.5.5:3200", backend: "tcp 2.2.2.2:4000" } },
  dnat: { "tcp 5.5.5.5:3200": "tcp 2.2.2.2:4000" },
  fib: { "172.1.0.5": { rc: 0, ifindex: 7, smac: "02:00:00:01:00:03", dmac: "02:00:00:01:00:05" } },
};
const resolved = { ...TABLES, tunnel: { "65736": { local: "172.1.0.3:5000", remote: "172.1.0.5:6000" } } };
const defaults = { hook: "ingress" as const, packet: 1, port: [] };
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function explained(frame: Uint8Array, hook: "ingress" | "egress", tables: unknown): string {
  return withFile("tables.json", encode(JSON.stringify(tables)), (path) =>
    explain(toHex(frame), { ...defaults, hook, tables: path }, plain).join("\n"),
  );
}

function errorOf(fn: () => unknown): LabError {
  try {
    fn();
  } catch (err) {
    if (err instanceof LabError) return err;
    throw err;
  }
  throw new Error("nothing was thrown");
}

describe("explain", () => {
  it("shows every field with its bytes, value, meaning and source", () => {
    const text = explain(toHex(FRAMES.guePing), defaults, plain).join("\n");
    expect(text).toMatch(/^172\.1\.0\.5:6000 > 172\.1\.0\.3:5000 GUE ping 1\/200 tunnel 65736 {2}70 bytes\n/);
    expect(text).toMatch(
      / 42 {2}\.\.\.0 0110 +Hlen +6 +words behind the first: 24 bytes +draft-ietf-intarea-gue section 3\.1\n/,
    );
    expect(text).toMatch(/ 48 {2}00 c8 +service id +200 .*True Ingress\n/);
    expect(text).toContain("--tables FILE.json");
  });

  it("says why a packet is encapsulated, and marks what changed", () => {
    const text = explained(FRAMES.syn, "egress", resolved);
    expect(text).toContain("The egress hook of interface 7 passes it: encapsulated (PASS_ENCAP)");
    expect(text).toContain("decided by ENCAP -> tunnel 65736 group 1 service 200");
    expect(text).toContain("FIB lookup: success");
    const [before, after] = text.slice(text.indexOf("Before")).split("\nAfter");
    // Both MAC addresses' last bytes change; the tunnel's 52 bytes are new.
    const count = (part: string): number => part.match(/\^\^/g)?.length ?? 0;
    expect(after).toContain("GUE 1/200 [172.1.0.2:40001 > 2.2.2.2:4000 TCP SYN");
    expect(count(after) - count(before)).toBe(52);
    expect(after).toContain("6421 4500 003c 1234 4000 4006 7881 ac01");
  });

  it("names the fields that a translation changes", () => {
    const frame = buildPacket({ ip: { src: "172.1.0.2", dst: "5.5.5.5" }, tcp: { sport: 40001, dport: 3200 } });
    const text = explained(frame, "ingress", TABLES);
    expect(text).toContain("passes it: destination translated from proxy to backend endpoint (PASS_DNAT)");
    expect(text).toContain("  IPv4 destination address: 5.5.5.5 -> 2.2.2.2\n");
    expect(text).toContain("  TCP destination port: 3200 -> 4000");
  });

  it("says why a packet is dropped", () => {
    const text = explained(FRAMES.syn, "egress", TABLES);
    expect(text).toContain("drops it: the tunnel's remote endpoint is not resolved yet (DROP_UNRESOLVED)");
    expect(text).not.toContain("After");
  });

  it("shows the rows that a ping changes", () => {
    const text = explained(FRAMES.guePing, "ingress", TABLES);
    expect(text).toContain("takes it: GUE ping consumed, the tunnel's remote endpoint is set (PING_CONSUMED)");
    expect(text).toContain("changed TUNNEL 65736: remote 0.0.0.0:0 -> 172.1.0.5:6000");
  });

  it("says that nothing changes where nothing does", () => {
    expect(explained(FRAMES.arpRequest, "ingress", TABLES)).toContain("the frame is unchanged");
  });

  it("takes a packet out of a capture", () => {
    const buf = pcapngBuffer();
    const w = new PcapngWriter(buf.sink);
    const id = w.addInterface({ name: "egw/eth1" });
    w.packet(id, 0, FRAMES.syn);
    w.packet(id, 1_500_000, FRAMES.udp, { direction: "in", comment: "ingress: pass" });
    withFile("run.pcapng", buf.bytes(), (path) => {
      const [first] = explain(path, { ...defaults, packet: 2 }, plain);
      expect(first).toBe(
        `172.1.0.2:33000 > 5.5.5.5:3200 UDP len=12  54 bytes · packet 2 of 2 in ${path}, egw/eth1 in, 00:00:00.001500, ingress: pass`,
      );
      const err = errorOf(() => explain(path, { ...defaults, packet: 3 }, plain));
      writeFileSync(path, buf.bytes().subarray(0, 60));
      const cut = errorOf(() => explain(path, defaults, plain));
      expect([cut.code, cut.message]).toEqual([
        "ERR_CAPTURE_FORMAT",
        `${path}: byte 44: block of 44 bytes, but only 16 are left`,
      ]);
      expect([err.code, err.hint]).toEqual(["ERR_NO_PACKET", "It has 2 packets; choose one with --packet N."]);
    });
  });

  it("names the column of bad hex, and files that are not there", () => {
    const err = errorOf(() => explain("0200 00xx", defaults, plain));
    expect([err.code, err.position?.column]).toEqual(["ERR_HEX", 8]);
    expect(errorOf(() => explain("no/such.pcap", defaults, plain)).code).toBe("ERR_FILE_NOT_FOUND");
    withFile("a", new Uint8Array(1), (path) => {
      expect(errorOf(() => explain(dirname(path), defaults, plain)).code).toBe("ERR_IS_DIRECTORY");
      expect(errorOf(() => explain("00", { ...defaults, tables: join(dirname(path), "b") }, plain)).code).toBe(
        "ERR_FILE_NOT_FOUND",
      );
    });
    withFile("dump.txt", encode("0x0000:  4500 00\n0x0010:  zz"), (path) => {
      expect(errorOf(() => explain(path, defaults, plain)).position).toEqual({ file: path, line: 2, column: 10 });
    });
  });

  it("names line and column of a mistake in the tables", () => {
    withFile("t.json", encode('{\n  "config": {"7": {}},\n  "tunel": {}\n}\n'), (path) => {
      const err = errorOf(() => explain(toHex(FRAMES.udp), { ...defaults, tables: path }, plain));
      expect([err.code, err.position]).toEqual(["ERR_VECTOR_KEY", { file: path, line: 3, column: 3 }]);
      writeFileSync(path, '{"config": \n');
      const syntax = errorOf(() => explain(toHex(FRAMES.udp), { ...defaults, tables: path }, plain));
      expect([syntax.code, syntax.position?.file]).toEqual(["ERR_VECTOR_SYNTAX", path]);
    });
  });

  it("also takes a whole vector as tables", () => {
    const vector = { tables: resolved, packets: [] };
    expect(explained(FRAMES.syn, "egress", vector)).toContain("PASS_ENCAP");
  });
});

it("the command has its options", () => {
  const help = explainCommand().helpInformation();
  for (const option of ["--tables", "--hook", "--ifindex", "--packet"]) expect(help).toContain(option);
});
