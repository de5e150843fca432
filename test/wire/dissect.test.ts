import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildPacket } from "../../src/wire/build.ts";
import { dissect, type FieldNode, findLayer, flatten, type LayerNode } from "../../src/wire/dissect.ts";
import { FRAMES, ODD_FRAMES } from "../support/frames.ts";

const names = (root: LayerNode): string =>
  flatten(root)
    .map((l) => l.name)
    .join(" ");
const field = (root: LayerNode, layer: string, name: string): FieldNode => {
  const found = findLayer(root, layer)?.fields.find((f) => f.name === name);
  if (!found) throw new Error(`no field ${name} in ${layer}`);
  return found;
};

describe("dissect", () => {
  it.each([
    ["arpRequest", "ethernet arp"],
    ["ping", "ethernet ipv4 icmp payload"],
    ["syn", "ethernet ipv4 tcp"],
    ["request", "ethernet ipv4 tcp payload"],
    ["udp", "ethernet ipv4 udp payload"],
    ["gueData", "ethernet ipv4 udp gue ipv4 tcp"],
    ["guePing", "ethernet ipv4 udp gue"],
    ["guePlain", "ethernet ipv4 udp gue ipv4 udp payload"],
    ["fragNeeded", "ethernet ipv4 icmp ipv4 tcp"],
    ["portUnreachable", "ethernet ipv4 icmp ipv4 udp payload"],
    ["fragmentTail", "ethernet ipv4 payload"],
    ["options", "ethernet ipv4 udp payload trailer"],
  ])("finds the layers of %s", (frame, layers) => {
    expect(names(dissect(FRAMES[frame]))).toBe(layers);
  });

  it("gives each field its place, value, meaning and source", () => {
    const root = dissect(FRAMES.gueData);
    expect(field(root, "gue", "service id")).toEqual({
      name: "service id",
      offset: 48,
      length: 2,
      value: 200,
      text: "200",
      meaning: "lower half of the group identifier",
      source: "True Ingress",
    });
    expect(field(root, "gue", "Hlen")).toMatchObject({ offset: 42, bits: { start: 3, length: 5 }, value: 5 });
    expect(field(root, "gue", "flags").meaning).toBe("G: group identifier, SEC 2: 128-bit security field");
    expect(field(root, "ipv4", "don't fragment")).toMatchObject({
      offset: 20,
      bits: { start: 1, length: 1 },
      value: 1,
    });
    expect(field(root, "udp", "checksum").meaning).toBe("none");
    expect(findLayer(root, "tcp")?.offset).toBe(86);
    expect(field(dissect(FRAMES.syn), "tcp", "option maximum segment size")).toMatchObject({ offset: 54, value: 1460 });
  });

  it("says which checksum is wrong and what it should be", () => {
    const frame = buildPacket({ ip: { raw: { check: 1 } }, udp: { raw: { check: 2 } }, payload: "x" });
    const right = dissect(buildPacket({ udp: {}, payload: "x" }));
    const wrong = dissect(frame);
    for (const [layer, name] of [
      ["ipv4", "header checksum"],
      ["udp", "checksum"],
    ]) {
      expect(field(wrong, layer, name).problem).toBe(`wrong, should be ${field(right, layer, name).text}`);
      expect(field(right, layer, name)).toMatchObject({ meaning: "correct" });
      expect(field(right, layer, name).problem).toBeUndefined();
    }
  });

  it("takes a datagram on a tunnel port for GUE, and no other", () => {
    const frame = buildPacket({ udp: { sport: 7000, dport: 7001 }, payload: "\u0000\u0004\u0000\u0000" });
    expect(names(dissect(frame))).toBe("ethernet ipv4 udp payload");
    expect(names(dissect(frame, { tunnelPorts: [7001] }))).toBe("ethernet ipv4 udp gue");
  });

  it("notes what is cut short", () => {
    const notes = (n: number): string[] => flatten(dissect(FRAMES.gueData.slice(0, n))).flatMap((l) => l.notes);
    expect(notes(10)).toEqual(["truncated: 10 bytes of at least 14"]);
    expect(notes(60)).toContain("truncated: Hlen promises 20 more bytes, 14 are there");
  });

  it("covers every byte, and none beyond, of any frame", () => {
    const covered = (frame: Uint8Array): void => {
      const root = dissect(frame, { tunnelPorts: [7] });
      const seen = new Uint8Array(frame.length);
      for (const l of flatten(root))
        for (const f of l.fields) {
          expect(f.offset + f.length).toBeLessThanOrEqual(frame.length);
          seen.fill(1, f.offset, f.offset + f.length);
        }
      expect(seen.indexOf(0)).toBe(-1);
      expect(JSON.parse(JSON.stringify(root))).toEqual(root);
    };
    for (const frame of [...Object.values(FRAMES), ...Object.values(ODD_FRAMES)])
      for (let end = 1; end <= frame.length; end += end < 60 ? 1 : 7) covered(frame.slice(0, end));
    const seeds = Object.values(FRAMES);
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat(130), fc.nat(255)), { maxLength: 4 }),
        (f, bytes) => {
          const frame = f.slice();
          for (const [at, v] of bytes) frame[at % frame.length] = v;
          covered(frame);
        },
      ),
      { numRuns: 400 },
    );
  });
});
