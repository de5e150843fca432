import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DATA_FILES, dataFile, hashSource, requestBody } from "../../src/sim/content.ts";
import { Sha256 } from "../../src/sim/sha256.ts";

function all(source: { length: number; read(o: number, d: Uint8Array, p: number, n: number): void }): Uint8Array {
  const bytes = new Uint8Array(source.length);
  source.read(0, bytes, 0, bytes.length);
  return bytes;
}

describe("data files", () => {
  it("have the sizes of their names", () => {
    expect(DATA_FILES["data_1M.bin"]).toBe(1_048_576);
    expect(Object.keys(DATA_FILES)).toHaveLength(7);
    for (const [name, size] of Object.entries(DATA_FILES)) expect(dataFile(name)?.length).toBe(size);
    expect(dataFile("data_3M.bin")).toBeUndefined();
    expect(dataFile("constructor")).toBeUndefined();
  });

  it("give the same bytes at any offset, in any order, also when their block was dropped meanwhile", () => {
    const source = dataFile("data_2M.bin")!;
    const whole = all(source);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(70_000), (at, n) => {
        const len = Math.min(n, whole.length - at);
        const part = new Uint8Array(len + 2);
        source.read(at, part, 1, len);
        expect(part[0]).toBe(0);
        expect(part[len + 1]).toBe(0);
        expect(Buffer.compare(part.subarray(1, len + 1), whole.subarray(at, at + len))).toBe(0);
      }),
    );
  });

  it("are the same in every run and differ from each other", () => {
    expect(hashSource(dataFile("data_1M.bin")!, new Sha256())).toBe(
      "33e5a47530cb1371fd731a5a59866a7c2e44d23b089c1c6d28b207dc9d53dd20",
    );
    const a = all(dataFile("data_1M.bin")!);
    const b = all(dataFile("data_2M.bin")!).subarray(0, a.length);
    let same = 0;
    for (let i = 0; i < a.length; i++) if (a[i] === b[i]) same++;
    expect(same).toBeLessThan(a.length / 128);
  });

  it("look random: every byte value about as often, no repetition between blocks", () => {
    const bytes = all(dataFile("data_1M.bin")!);
    const counts = new Array<number>(256).fill(0);
    for (const b of bytes) counts[b]++;
    expect(Math.min(...counts)).toBeGreaterThan(3700);
    expect(Math.max(...counts)).toBeLessThan(4500);
    const seen = new Set<string>();
    for (let at = 0; at < bytes.length; at += 4096) seen.add(Buffer.from(bytes.subarray(at, at + 16)).toString("hex"));
    expect(seen.size).toBe(256);
  });

  it("request bodies depend on their length", () => {
    expect(hashSource(requestBody(1000), new Sha256())).toBe(hashSource(requestBody(1000), new Sha256()));
    expect(all(requestBody(1000)).slice(0, 16)).not.toEqual(all(requestBody(1001)).slice(0, 16));
  });
});
