import { describe, expect, it } from "vitest";
import { compareBoxes } from "../../src/diff/boxes.ts";
import type { PacketRecord } from "../../src/scenario/lab.ts";
import { fromHex, rd16, toHex, wr16 } from "../../src/wire/bytes.ts";
import { csumFold, csumReplace16 } from "../../src/wire/checksum.ts";
import { ETH_HLEN, ETH_P_IP, ethType } from "../../src/wire/ethernet.ts";
import { IPPROTO_ICMP, IPPROTO_UDP, ipProto } from "../../src/wire/ipv4.ts";
import { summary } from "../../src/wire/summary.ts";
import { changed, record, tampered, told } from "./support.ts";

const isUdp = (frame: Uint8Array): boolean =>
  ethType(frame, 0) === ETH_P_IP && ipProto(frame, ETH_HLEN) === IPPROTO_UDP;
const isIcmp = (frame: Uint8Array): boolean =>
  ethType(frame, 0) === ETH_P_IP && ipProto(frame, ETH_HLEN) === IPPROTO_ICMP;

describe("boxes that do what their twins do", () => {
  it.each([
    "basic/02-node2-behind-nat",
    "basic/03-topology-up-and-down",
    "attach/04-other-traffic",
    "dso/01-node1-11-9",
    "fwd/02-egress-fwd",
    "gue/05-mapping-changes",
    "mtu/11-udp-reply-node1",
    "security/03-truncated",
    "session/02-packet-refreshes",
  ])("have no difference: %s", async (name) => {
    const level = compareBoxes(await record(name));
    expect(level.verdict, told(level)).toBe("equal");
    expect(level.counts.find((c) => c.name === "made by the box")?.count).toBeGreaterThan(10);
  });

  it("counts what it took as the kernel's own choice", async () => {
    const run = await record("attach/04-other-traffic");
    const names = compareBoxes(run).rules.map((r) => r.name);
    expect(names).toEqual(expect.arrayContaining(["local-packet", "raw-frame"]));
  });

  it("lets the IP ID of an echo reply be any number, and nothing else with it", async () => {
    const run = await record("attach/04-other-traffic");
    const isReply = (p: PacketRecord): boolean =>
      p.direction === "out" && p.host === "egw" && isIcmp(p.frame) && p.frame[34] === 0;
    const at = run.packets.findIndex(isReply);
    const setId = (frame: Uint8Array, id: number): void => {
      wr16(frame, 24, csumReplace16(rd16(frame, 24), rd16(frame, 18), id));
      wr16(frame, 18, id);
    };
    expect(compareBoxes(tampered(run, at, (f) => setId(f, 0x1234))).verdict).toBe("equal");
    expect(compareBoxes(tampered(run, at, (f) => void (f[18] ^= 1))).first?.where).toBe("egw/eth1");
  });

  it("lets a gateway report its multicast groups, by its own addresses alone", async () => {
    const run = await record("basic/02-node2-behind-nat");
    const arp = run.packets.find((p) => p.host.startsWith("gateway.") && p.direction === "out") as PacketRecord;
    const reported = (change: (frame: Uint8Array) => void) => {
      // IGMPv3 (RFC 3376 section 4.2): one group record, TTL 1, router alert.
      const frame = fromHex(
        `01005e000016${toHex(arp.frame, 6, 12)}0800460000280000400001020000ac010001e000001694040000220000000000000104000000e00000fb`,
      ) as Uint8Array;
      change(frame);
      let sum = 0;
      for (let i = ETH_HLEN; i < ETH_HLEN + 24; i += 2) sum += rd16(frame, i);
      wr16(frame, 24, csumFold(sum) ^ 0xffff);
      const packet: PacketRecord = { ...arp, frame };
      return compareBoxes({ ...run, packets: [...run.packets, { ...packet, timeNs: run.endNs }] });
    };
    const right = reported(() => {});
    expect(right.verdict, told(right)).toBe("equal");
    expect(right.rules.find((r) => r.name === "igmp-report")?.count).toBe(1);
    expect(reported((f) => void (f[29] ^= 2)).verdict).toBe("different");
    expect(reported((f) => void (f[11] ^= 2)).verdict).toBe("different");
  });
});

describe("a box that does otherwise", () => {
  const NAME = "basic/02-node2-behind-nat";
  const FORWARDED = (p: { host: string; nic: string; direction: string; frame: Uint8Array }): boolean =>
    p.host === "nat" && p.nic === "eth1" && p.direction === "out" && isUdp(p.frame);

  it("is found when NAT gave another port", async () => {
    const run = await record(NAME);
    const at = run.packets.findIndex(FORWARDED);
    const level = compareBoxes(tampered(run, at, (frame) => wr16(frame, 34, rd16(frame, 34) ^ 1)));
    expect(level.verdict).toBe("different");
    expect(level.first).toMatchObject({ where: "nat/eth1", timeNs: run.packets[at].timeNs });
    expect(level.first?.fields.map((f) => `${f.layer} ${f.field}`)).toContain("udp source port");
    expect(level.first?.real?.summary).not.toBe(level.first?.reference?.summary);
  });

  it("is found when it did not decrement the TTL", async () => {
    const run = await record(NAME);
    const at = run.packets.findIndex(FORWARDED);
    const level = compareBoxes(
      tampered(run, at, (frame) => {
        frame[22]++;
        wr16(frame, 24, csumReplace16(rd16(frame, 24), 0x100, 0x200));
      }),
    );
    expect(level.first?.where).toBe("nat/eth1");
    expect(level.first?.fields.map((f) => f.field)).toEqual(["time to live", "header checksum"]);
  });

  it("is found when a rule is missing in it", async () => {
    const run = await record(NAME);
    const level = compareBoxes(run, (net) => {
      const { netfilter } = net.twin("nat").host;
      netfilter.removeRule("nat", "POSTROUTING", 0);
    });
    expect(level.verdict).toBe("different");
    expect(level.first?.where).toBe("nat/eth1");
    expect(level.first?.fields.map((f) => f.field)).toContain("source address");
  });

  it("is found when it filters what its twin does not", async () => {
    const run = await record("basic/02-node2-behind-nat");
    const at = run.packets.findIndex((p) => FORWARDED(p));
    const level = compareBoxes(changed(run, (p, i) => (i === at ? undefined : p)));
    expect(level.first).toMatchObject({ where: "nat/eth1", what: "the twin sent this, the box did not" });
  });

  it("is found when it sends a frame twice", async () => {
    const run = await record(NAME);
    const at = run.packets.findIndex(FORWARDED);
    const packets = run.packets.flatMap((p, i) => (i === at ? [p, { ...p, timeNs: p.timeNs + 1 }] : [p]));
    const level = compareBoxes({ ...run, packets });
    expect(level.first).toMatchObject({ where: "nat/eth1", what: "the box sent this, its twin did not" });
    expect(level.first?.notes.join()).toContain("no process of the host");
  });

  it("is found when it answers a ping wrongly", async () => {
    const run = await record("attach/04-other-traffic");
    const at = run.packets.findIndex(
      (p) => p.direction === "out" && p.host === "egw" && isIcmp(p.frame) && p.frame[34] === 0,
    );
    const level = compareBoxes(tampered(run, at, (frame) => void (frame[50] ^= 1)));
    expect(level.first?.where, summary(run.packets[at].frame)).toBe("egw/eth1");
  });

  it("is found when its ARP says another MAC address", async () => {
    const run = await record("attach/04-other-traffic");
    const at = run.packets.findIndex(
      (p) => p.direction === "out" && ethType(p.frame, 0) === 0x0806 && p.frame[21] === 2,
    );
    const { host, nic } = run.packets[at];
    const level = compareBoxes(tampered(run, at, (frame) => void (frame[27] ^= 1)));
    expect(level.first?.where).toBe(`${host}/${nic}`);
  });

  it("is found when it encapsulates with another key", async () => {
    const run = await record(NAME);
    const at = run.packets.findIndex(
      (p) => p.host === "egw" && p.direction === "out" && p.frame[42] === 0x05 && p.frame[43] === 0x04,
    );
    expect(at).toBeGreaterThan(0);
    const level = compareBoxes(tampered(run, at, (frame) => void (frame[50] ^= 1)));
    expect(level.first?.where).toBe("egw/eth1");
    expect(level.first?.fields.map((f) => f.layer)).toEqual(["gue"]);
  });
});

it("takes a packet that was held up for seconds as the same one, and counts it", async () => {
  const run = await record("basic/02-node2-behind-nat");
  const at = run.packets.findLastIndex((p) => p.host === "nat" && p.nic === "eth1" && p.direction === "out");
  const late = changed(run, (p, i) => (i === at ? undefined : p));
  const timeNs = run.endNs + 3_000_000_000;
  const packets = [...late.packets, { ...run.packets[at], timeNs }];
  const level = compareBoxes({ ...run, packets, endNs: timeNs });
  expect(level.verdict, told(level)).toBe("equal");
  expect(level.rules.find((r) => r.name === "held-up")?.count).toBe(1);
  expect(compareBoxes(late).verdict).toBe("different");
});
