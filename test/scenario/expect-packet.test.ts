import { describe, expect, it } from "vitest";
import { compileMatcher, type MatcherSpec } from "../../src/scenario/expect.ts";
import { compilePacket, type PacketSpec, packetCheck } from "../../src/scenario/expect-packet.ts";
import { viewFrame } from "../../src/scenario/packet-view.ts";
import { REASON } from "../../src/tables/reasons.ts";
import { buildIp, buildPacket } from "../../src/wire/build.ts";
import { fromHex } from "../../src/wire/bytes.ts";
import { FakeLab } from "../support/fake-lab.ts";

const key = new TextEncoder().encode("5erv1ceP@55w0rd!");
const inner = { ip: { src: "172.1.0.2", dst: "2.2.2.2" }, tcp: { sport: 33000, dport: 4000, flags: 0x02 } };
const outer = { ip: { src: "172.1.0.3", dst: "172.1.0.5" } };
const gue = { group: 1, service: 200, key };
const dataFrame = buildPacket({ ...outer, udp: { sport: 5000, dport: 6000, checksum: false }, gue, inner });
const pingFrame = buildPacket({
  ...outer,
  udp: { sport: 5000, dport: 6000, checksum: true },
  gue: { ...gue, tunnelId: 65736 },
});

describe("the view of a frame", () => {
  it("sees through the tunnel", () => {
    const view = viewFrame(dataFrame);
    expect(view).toMatchObject({
      proto: "udp",
      src: "172.1.0.3",
      sport: 5000,
      checksum: "none",
      gue: { control: false, hlen: 5, group: 1, service: 200, key: "5erv1ceP@55w0rd!" },
      inner: { proto: "tcp", src: "172.1.0.2", dport: 4000, checksum: "ok", tcp: { flags: "SYN" } },
    });
    expect(view.length).toBe((view.inner?.length ?? 0) + 52);
    expect(viewFrame(pingFrame).gue).toMatchObject({ control: true, hlen: 6, tunnel: 65736 });
  });

  it("sees ICMP errors and what they quote", () => {
    const quoted = buildIp(inner).slice(0, 28);
    const view = viewFrame(buildPacket({ ...outer, icmp: { kind: "unreachable", code: 4, mtu: 1448, quoted } }));
    expect(view.icmp).toMatchObject({ type: 3, code: 4, mtu: 1448, quoted: { dst: "2.2.2.2", dport: 4000 } });
    expect(view.checksum).toBe("ok");
  });

  it("tells a wrong checksum", () => {
    const broken = pingFrame.slice();
    broken[broken.length - 1] ^= 1;
    expect(viewFrame(broken).checksum).toBe("bad");
  });

  it("never throws, whatever the bytes and wherever they end", () => {
    for (const frame of [dataFrame, pingFrame, fromHex("ffffffffffff02000000000108060001")!])
      for (let n = 0; n <= frame.length; n++) expect(viewFrame(frame.slice(0, n)).proto).toBeTypeOf("string");
  });
});

describe("packet expectations", () => {
  const lab = new FakeLab();
  const hook = {
    hook: "egress",
    reason: REASON.PASS_ENCAP,
    tunnel: 65736,
    group: 1,
    service: 200,
    lenBefore: 54,
  } as const;
  lab.packetList.push(
    { timeNs: 1, host: "egw", nic: "eth1", direction: "out", frame: dataFrame, hook },
    { timeNs: 2, host: "nat", nic: "eth1", direction: "in", frame: dataFrame },
    { timeNs: 3, host: "egw", nic: "eth1", direction: "in", frame: pingFrame },
  );
  const evaluate = (spec: PacketSpec, count: MatcherSpec = ">=1", packets = 0) =>
    packetCheck(
      "packet",
      compilePacket(spec, compileMatcher(count), "start", () => undefined),
    ).evaluate({
      lab,
      mark: () => ({ packets, drops: 0 }),
    });

  it.each<[PacketSpec, number]>([
    [{ gue: { group: 1 } }, 3],
    [{ at: "egw" }, 2],
    [{ at: "egw/eth1", direction: "out", gue: { group: 1, service: 200, control: false } }, 1],
    [{ gue: { control: true, tunnel: 65736 } }, 1],
    [{ inner: { dst: "2.2.2.2:4000", tcp: { flags: "syn" } } }, 2],
    [{ inner: { dst: "2.2.2.2" }, at: "nat" }, 1],
    [{ dst: "172.1.0.5:6000", length: ">=52" }, 3],
    [{ inner: { dst: "2.2.2.2:4001" } }, 0],
    [{ reason: "PASS_ENCAP" }, 1],
    [{ gue: { key: "abcdefgh12345678" } }, 0],
    [{ icmp: { type: 3 } }, 0],
  ])("%j is seen %i times", (spec, n) => {
    expect(evaluate(spec, n).ok).toBe(true);
    const report = evaluate(spec, n + 1);
    expect(report).toMatchObject({ ok: false, expected: `${n + 1} packets`, actual: `${n} packets` });
    expect(report.detail.length).toBeGreaterThan(0);
  });

  it("counts from a mark on", () => {
    expect(evaluate({ gue: { group: 1 } }, 1, 2).ok).toBe(true);
  });
});
