/** What a report file says of a difference: the vector, what the reference wants and what the programs in the kernel gave. */
import { expect, it } from "vitest";
import { counterexampleEntry } from "../../src/cli/counterexample-entry.ts";
import type { VectorSource } from "../../src/replay/protocol.ts";
import { fromHex } from "../../src/wire/bytes.ts";
import { describeKernel } from "./require.ts";

// Ethernet, IPv4, UDP 9 to 9 of 172.1.0.2 to 172.1.0.3, no payload.
const FRAME = "0200000000030200000000020800" + "4500001c000000004011e1cdac010002ac010003" + "0009000900080000";

describeKernel("a difference in a report file", () => {
  it("holds the vector with the reference's results, and the kernel's beside it", () => {
    const frame = fromHex(FRAME) as Uint8Array;
    const found = {
      case: { rows: [], packets: [{ ingress: true, ifindex: 2, gsoSize: 0, frame }] },
      difference: { packet: 0, what: "verdict", reference: "pass", kernel: "drop" },
    };
    const entry = counterexampleEntry(found, "fuzz-1-2");
    expect(entry).toMatchObject({ title: "fuzz-1-2", status: "failed", lab: "vector" });
    const source = entry.source as VectorSource;
    const [wanted] = JSON.parse(source.text).packets;
    const [given] = JSON.parse(source.other?.text as string).packets;
    expect(wanted).toMatchObject({ in: FRAME, want: { verdict: "pass", reason: "PASS_NO_CONFIG", out: FRAME } });
    expect(given).toMatchObject({ in: FRAME, verdict: "pass", reason: "PASS_NO_CONFIG", out: FRAME });
    expect(JSON.parse(source.text).comment).toBe("packet 1: verdict: reference pass, kernel drop");
  });
});
