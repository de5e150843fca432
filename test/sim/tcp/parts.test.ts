import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { synOptionLen, TcpOptions, writeSack, writeSynOptions, writeTimestamps } from "../../../src/sim/tcp/options.ts";
import { RangeSet } from "../../../src/sim/tcp/ranges.ts";
import { Reassembly } from "../../../src/sim/tcp/reassembly.ts";
import { Scoreboard } from "../../../src/sim/tcp/scoreboard.ts";
import { bytesSource, SendQueue } from "../../../src/sim/tcp/send-queue.ts";
import { ConnectionTable } from "../../../src/sim/tcp/table.ts";
import type { Tcb } from "../../../src/sim/tcp/tcb.ts";

describe("RangeSet", () => {
  it("is a set of numbers, kept as few ranges", () => {
    const op = fc.record({ add: fc.boolean(), at: fc.nat(60), len: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(op, { maxLength: 40 }), (ops) => {
        const ranges = new RangeSet();
        const model = new Set<number>();
        for (const { add, at, len } of ops) {
          const before = model.size;
          if (add) {
            for (let i = at; i < at + len; i++) model.add(i);
            expect(ranges.add(at, at + len)).toBe(model.size - before);
          } else {
            for (const v of model) if (v < at) model.delete(v);
            ranges.trim(at);
          }
          expect(ranges.total).toBe(model.size);
          let starts = 0;
          for (let v = 0; v < 90; v++) {
            expect(ranges.find(v) >= 0).toBe(model.has(v));
            if (model.has(v) && !model.has(v - 1)) starts++;
          }
          expect(ranges.count).toBe(starts);
          expect(ranges.overlap(10, 30)).toBe([...model].filter((v) => v >= 10 && v < 30).length);
        }
      }),
    );
  });
});

describe("Scoreboard", () => {
  it("takes a hole for lost when three ranges, or more than two segments, lie above it", () => {
    const s = new Scoreboard();
    s.sacked.add(2000, 3000);
    s.sacked.add(4000, 5000);
    s.update(1000);
    expect(s.lostEdge).toBe(0);
    s.sacked.add(6000, 6001);
    s.update(1000);
    expect(s.lostEdge).toBe(2000);
    s.sacked.add(6001, 7002);
    s.update(1000);
    expect(s.lostEdge).toBe(4000);
    // 1000..2000 and 3000..4000 are lost, 5000..6000 and 7002..9000 fly, and 1000..2000 once more when sent again.
    expect(s.pipe(1000, 9000)).toBe(1000 + 1998);
    s.highRxt = 2000;
    expect(s.pipe(1000, 9000)).toBe(1000 + 1998 + 1000);
    expect([s.holeStart(2500), s.holeEnd(3000, 4000), s.holeEnd(5000, 9000)]).toEqual([3000, 4000, 6000]);
  });
});

describe("Reassembly", () => {
  it("reports the range that grew last first, then the others, three at most", () => {
    const r = new Reassembly(1024);
    for (const at of [10, 30, 50, 70]) r.addRange(at, at + 5);
    r.addRange(35, 40);
    expect(r.blocks()).toBe(3);
    expect(r.sack).toEqual([30, 40, 70, 75, 50, 55]);
    expect(r.advance(10)).toBe(15);
    expect(r.ranges.count).toBe(3);
  });
});

describe("SendQueue", () => {
  it("reads any range across its pieces", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 100 }), { minLength: 1, maxLength: 6 }),
        fc.nat(),
        fc.nat(),
        (parts, a, b) => {
          const queue = new SendQueue();
          for (const p of parts) queue.append(bytesSource(p));
          const all = Uint8Array.from(parts.flatMap((p) => [...p]));
          expect(queue.end).toBe(1 + all.length);
          const from = all.length === 0 ? 0 : a % all.length;
          const len = all.length === 0 ? 0 : b % (all.length - from + 1);
          queue.release(1 + from);
          const out = new Uint8Array(len + 2);
          queue.read(1 + from, out, 1, len);
          expect([...out]).toEqual([0, ...all.subarray(from, from + len), 0]);
        },
      ),
    );
  });
});

describe("ConnectionTable", () => {
  it("holds what a map by tuple would hold", () => {
    const op = fc.record({ add: fc.boolean(), ip: fc.nat(3), port: fc.nat(15) });
    fc.assert(
      fc.property(fc.array(op, { maxLength: 200 }), (ops) => {
        const table = new ConnectionTable();
        const model = new Map<string, Tcb>();
        for (const { add, ip, port } of ops) {
          const key = `${ip} ${port}`;
          const old = model.get(key);
          expect(table.get(9, 80, ip, port)).toBe(old);
          if (add && old === undefined) {
            const tcb = { laddr: 9, lport: 80, raddr: ip, rport: port } as Tcb;
            table.add(tcb);
            model.set(key, tcb);
          } else if (!add && old !== undefined) {
            table.delete(old);
            model.delete(key);
          }
          expect(table.size).toBe(model.size);
        }
        for (let ip = 0; ip < 4; ip++)
          for (let port = 0; port < 16; port++) expect(table.get(9, 80, ip, port)).toBe(model.get(`${ip} ${port}`));
        expect(new Set(table.values())).toEqual(new Set(model.values()));
      }),
    );
  });
});

describe("options", () => {
  const header = (optionLen: number): Uint8Array => {
    const pkt = new Uint8Array(20 + optionLen);
    pkt[12] = (pkt.length / 4) << 4;
    return pkt;
  };

  it("of a SYN come back as they were written", () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.boolean(),
        fc.integer({ min: -1, max: 14 }),
        fc.nat(65_535),
        (sack, ts, scale, mss) => {
          const pkt = header(synOptionLen(sack, ts, scale));
          writeSynOptions(pkt, 20, mss, sack, ts, 0xdeadbeef, 7, scale);
          const o = new TcpOptions();
          o.parse(pkt, 0);
          expect([o.mss, o.sackPermitted, o.hasTs, o.wscale]).toEqual([mss, sack, ts, scale]);
          if (ts) expect([o.tsVal, o.tsEcr]).toEqual([0xdeadbeef, 7]);
        },
      ),
    );
  });

  it("SACK blocks stand beside timestamps", () => {
    const pkt = header(40);
    writeTimestamps(pkt, 20, 1, 2);
    writeSack(pkt, 32, [10, 20, 30, 40, 50, 60], 3, 0xfffffff0);
    const o = new TcpOptions();
    o.parse(pkt, 0);
    expect([o.hasTs, o.tsVal, o.tsEcr, o.sackCount]).toEqual([true, 1, 2, 3]);
    expect(o.sack.slice(0, 6)).toEqual([0xfffffffa, 4, 14, 24, 34, 44]);
  });

  it("of any bytes never throw nor read beyond the header", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 40 }), (bytes) => {
        const words = bytes.length >> 2;
        const pkt = header(words * 4);
        pkt.set(bytes.subarray(0, words * 4), 20);
        const o = new TcpOptions();
        o.parse(pkt, 0);
        const padded = new Uint8Array(pkt.length + 40).fill(0xff);
        padded.set(pkt);
        const p = new TcpOptions();
        p.parse(padded, 0);
        expect(p).toEqual(o);
        expect(
          Object.values(o)
            .flat()
            .every((v) => typeof v === "boolean" || Number.isInteger(v)),
        ).toBe(true);
      }),
    );
  });
});
