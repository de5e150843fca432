/** Shared links: what goes in comes out, and whatever else stands behind `#` is refused in words. */
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LabError } from "../../src/errors.ts";
import { decodeShare, encodeShare, isShare, MAX_LINK_CHARS, type ShareState } from "../../src/replay/share.ts";

const STATE: ShareState = {
  file: "a.yaml",
  text: "title: ä € 𝄞\ntopology: basic.cfg\nsteps:\n  - client ping 5.5.5.5\n",
  topologies: { "basic.cfg": 'NODES="client"\n' },
  seed: 7,
  changes: [
    { kind: "link", link: "egw/eth1", faults: "loss 10%" },
    { kind: "stop-pings" },
    { kind: "key", host: "node2", group: 1, service: 200, key: "hex:00" },
    { kind: "nat-udp-timeout", host: "nat", seconds: 5 },
    { kind: "seed", seed: 3 },
    { kind: "step", before: 2, text: "wait 3s" },
  ],
  event: 12,
  filter: "gue.service == 200",
};

const link = (value: unknown): string => `s1.${deflateSync(JSON.stringify(value)).toString("base64url")}`;

/** The code with which it is refused; "" when it is not. Anything but a LabError fails the test. */
async function refusal(hash: string): Promise<string> {
  try {
    await decodeShare(hash);
    return "";
  } catch (err) {
    expect(err).toBeInstanceOf(LabError);
    expect((err as LabError).hint).toBeTruthy();
    return (err as LabError).code;
  }
}

describe("shared links", () => {
  it("hold the whole state, with and without #", async () => {
    const hash = await encodeShare(STATE);
    expect(hash).toMatch(/^s1\.[A-Za-z0-9_-]+$/);
    expect(isShare(`#${hash}`)).toBe(true);
    expect(await decodeShare(hash)).toEqual(STATE);
    expect(await decodeShare(`#${hash}`)).toEqual(STATE);
  });

  it("give back any text", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "grapheme", maxLength: 2000 }),
        fc.option(fc.nat(), { nil: undefined }),
        async (text, event) => {
          expect(await decodeShare(await encodeShare({ file: "x", text, event }))).toEqual(
            event === undefined ? { file: "x", text } : { file: "x", text, event },
          );
        },
      ),
      { numRuns: 100 },
    );
  });

  it("are refused when cut off anywhere", async () => {
    const hash = await encodeShare(STATE);
    for (let n = 0; n < hash.length; n++)
      expect(await refusal(hash.slice(0, n)), `${n} characters`).toBe("ERR_LINK_SYNTAX");
  });

  it("with any one character changed are refused, or mean the same (bits that fill up a byte)", async () => {
    const hash = await encodeShare(STATE);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 3, max: hash.length - 2 }), fc.constantFrom(..."Ab3_-%"), async (i, c) => {
        fc.pre(hash[i] !== c);
        const other = hash.slice(0, i) + c + hash.slice(i + 1);
        const code = await refusal(other);
        if (code === "") expect(await decodeShare(other)).toEqual(STATE);
        else expect(code).toBe("ERR_LINK_SYNTAX");
      }),
      { numRuns: 200 },
    );
  });

  it("never fail otherwise than in words, whatever they hold", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.base64String().map((s) => `s1.${s}`),
        ),
        async (hash) => {
          expect(await refusal(hash)).toMatch(/^ERR_LINK_/);
        },
      ),
      { numRuns: 300 },
    );
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        expect(await refusal(link(value))).toBe("ERR_LINK_SYNTAX");
      }),
      { numRuns: 100 },
    );
  });

  it("say what is wrong with a state", async () => {
    await expect(decodeShare(link({ file: "", text: 5 }))).rejects.toThrow(/text: .*string/);
    await expect(decodeShare(link({ file: "", text: "", evil: 1 }))).rejects.toThrow(/evil/);
    await expect(decodeShare(link({ file: "", text: "", event: -1 }))).rejects.toThrow(/event/);
    await expect(decodeShare(`s1.${deflateSync("{").toString("base64url")}`)).rejects.toThrow(/does not hold a state/);
    await expect(decodeShare(link({ file: "", text: "", changes: [{ kind: "rm" }] }))).rejects.toThrow(/changes\.0/);
    expect(await refusal("s2.AAAA")).toBe("ERR_LINK_VERSION");
  });

  it("of a decompression bomb are refused before it is unpacked", async () => {
    const bomb = `s1.${deflateSync(Buffer.alloc(40 << 20, 0x20)).toString("base64url")}`;
    expect(bomb.length).toBeLessThan(MAX_LINK_CHARS);
    expect(await refusal(bomb)).toBe("ERR_LINK_TOO_LARGE");
    expect(await refusal(`s1.${"A".repeat(MAX_LINK_CHARS)}`)).toBe("ERR_LINK_TOO_LARGE");
  });

  it("are refused when the scenario is too large for one", async () => {
    let seed = 1;
    const noise = Array.from({ length: 80_000 }, () => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return String.fromCharCode(32 + ((seed >>> 16) % 90));
    }).join("");
    await expect(encodeShare({ file: "x", text: noise })).rejects.toMatchObject({ code: "ERR_LINK_TOO_LARGE" });
  });
});
