import { describe, expect, it } from "vitest";
import { MS, SEC } from "../../../src/sim/types.ts";
import { TCP_SYN } from "../../../src/wire/tcp.ts";
import { difference, Peer, randomBytes, source } from "./peer.ts";
import { ADDR_B, Pipe } from "./pipe.ts";

/** b sends `size` bytes to a reader on a that starts paused. */
function slowReader(size: number, rcvBuf = 65_536) {
  const pipe = new Pipe(1, { rcvBuf });
  const bytes = randomBytes(1, size);
  const server = new Peer({
    connected: (s) => {
      s.write(source(bytes));
      s.end();
    },
  });
  const client = new Peer({ connected: (s) => s.pause(), ended: (s) => s.end() });
  pipe.b.listen(0, 80, () => server);
  pipe.a.connect(ADDR_B, 80, client);
  return { pipe, bytes, client, server };
}

describe("flow control", () => {
  it("a reader that pauses shuts the window; probes back off and keep the connection", () => {
    const { pipe, client, bytes } = slowReader(300_000);
    pipe.run(SEC);
    expect(client.length).toBe(0);
    const data = pipe.sent.filter((s) => s.from === "b" && s.len > 0);
    // All of the buffer but what a window scaled by two cannot express.
    expect(data.reduce((n, s) => n + s.len, 0)).toBe(65_534);
    expect(pipe.sent.filter((s) => s.from === "a").at(-1)?.window).toBe(0);
    pipe.run(4000 * SEC);
    const probes = pipe.sent.filter((s) => s.from === "b" && s.len === 0 && s.timeNs > 100 * MS);
    expect(probes.length).toBe(pipe.b.stats.zeroWindowProbes);
    const gaps = probes.slice(1).map((s, i) => Math.round((s.timeNs - probes[i].timeNs) / MS));
    expect(gaps.slice(0, 5)).toEqual([400, 800, 1600, 3200, 6400]);
    expect(Math.max(...gaps)).toBe(120_000);
    client.socket!.resume();
    pipe.run(SEC);
    expect(difference(client.bytes, bytes)).toBe(-1);
    expect(client.events).toEqual(["connected", "ended", "closed"]);
  });

  it("bytes that a reader has not taken outlive TIME_WAIT and the last ACK", () => {
    for (const first of ["reader", "writer"]) {
      const { pipe, client, bytes, server } = slowReader(50_000);
      pipe.run(MS);
      if (first === "reader") {
        client.socket!.end();
        server.on.ended = (s) => s.end();
      } else pipe.run(MS);
      client.socket!.end();
      pipe.run(200 * SEC);
      expect(client.events).toEqual(["connected"]);
      client.socket!.resume();
      expect(difference(client.bytes, bytes)).toBe(-1);
      expect(client.events).toEqual(["connected", "ended", "closed"]);
      pipe.run(200 * SEC);
      expect(pipe.a.connections).toBe(0);
    }
  });

  it("a peer that stops answering probes is given up", () => {
    const { pipe, server } = slowReader(300_000);
    pipe.run(SEC);
    pipe.drop = (s) => s.from === "a";
    pipe.run(3000 * SEC);
    expect(server.events).toEqual(["connected", "closed ETIMEDOUT"]);
    expect(pipe.b.connections).toBe(0);
  });

  it("a window update that is lost is found by a probe", () => {
    const { pipe, client, bytes } = slowReader(100_000);
    pipe.run(SEC);
    let dropped = 0;
    pipe.drop = (s) => s.from === "a" && dropped++ === 0;
    client.socket!.resume();
    expect(dropped).toBe(1);
    pipe.run(10 * MS);
    expect(client.length).toBe(65_534);
    pipe.run(2 * SEC);
    expect(difference(client.bytes, bytes)).toBe(-1);
  });

  it("a reader that takes little at a time gets full segments (no silly windows)", () => {
    const { pipe, client, bytes } = slowReader(400_000, 16_384);
    client.on.data = (s) => s.pause();
    for (let i = 0; i < 2000 && client.events.at(-1) !== "closed"; i++) {
      pipe.run(MS);
      client.socket?.resume();
    }
    expect(difference(client.bytes, bytes)).toBe(-1);
    const data = pipe.sent.filter((s) => s.from === "b" && s.len > 0);
    expect(data.filter((s) => s.len < 1000).length).toBeLessThan(data.length / 10);
  });

  it("never sends beyond the window offered, and never takes one back", () => {
    const { pipe, client } = slowReader(500_000, 32_768);
    client.on.data = (s) => {
      if (client.length % 3 === 0) s.pause();
    };
    for (let i = 0; i < 300; i++) {
      pipe.run(MS);
      client.socket?.resume();
    }
    let edge = 0;
    const base = pipe.sent.find((s) => s.from === "b")!.seq;
    const off = (seq: number): number => (seq - base) >>> 0;
    for (const s of pipe.sent) {
      if (s.from === "a" && !(s.flags & TCP_SYN)) {
        expect(off(s.ack) + s.window).toBeGreaterThanOrEqual(edge);
        edge = off(s.ack) + s.window;
      } else if (s.len > 0) expect(off(s.seq) + s.len).toBeLessThanOrEqual(edge);
    }
    expect(client.length).toBe(500_000);
  });

  it("uses windows above 64 KiB by scaling, and no more than 64 KiB without", () => {
    for (const windowScaling of [true, false]) {
      const pipe = new Pipe(1, { windowScaling, rcvBuf: 1 << 20 });
      pipe.delayNs = 20 * MS;
      const client = new Peer({}, 5_000_000);
      const bytes = randomBytes(1, 4_000_000);
      pipe.b.listen(0, 80, () => new Peer({ connected: (s) => s.write(source(bytes)) }));
      pipe.a.connect(ADDR_B, 80, client);
      pipe.run(SEC);
      // One second is 25 round trips of 40 ms.
      if (windowScaling) expect(client.length).toBe(bytes.length);
      else expect(client.length).toBeLessThan(25 * 65_536);
    }
  });
});

describe("acknowledging", () => {
  it("acknowledges every second segment after the first sixteen, a single one after 40 ms", () => {
    const pipe = new Pipe();
    const client = new Peer();
    const server = new Peer();
    pipe.b.listen(0, 80, () => server);
    pipe.a.connect(ADDR_B, 80, client);
    pipe.run(SEC);
    client.socket!.write(source(randomBytes(1, 1448 * 216)));
    pipe.run(SEC);
    const acks = pipe.sent.filter((s) => s.from === "b" && s.len === 0 && !(s.flags & TCP_SYN));
    expect(acks.length).toBeGreaterThanOrEqual(16 + 100);
    expect(acks.length).toBeLessThanOrEqual(16 + 101);
    const before = pipe.sent.length;
    client.socket!.write(source(randomBytes(1, 100)));
    const sentAt = pipe.clock.now;
    pipe.run(SEC);
    expect(pipe.sent.slice(before).map((s) => [s.from, s.timeNs - sentAt])).toEqual([
      ["a", 0],
      ["b", 40 * MS + pipe.delayNs],
    ]);
  });
});
