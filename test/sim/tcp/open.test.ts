import { describe, expect, it } from "vitest";
import type { TcpSocket } from "../../../src/sim/tcp/socket.ts";
import { TCP_STATE } from "../../../src/sim/tcp/tcb.ts";
import { L4_OFFSET, MS, SEC } from "../../../src/sim/types.ts";
import { TCP_ACK, TCP_RST, TCP_SYN } from "../../../src/wire/tcp.ts";
import { Peer, randomBytes, source } from "./peer.ts";
import { ADDR_A, ADDR_B, Pipe } from "./pipe.ts";

const SYNS = [0, 1, 3, 7, 15, 31, 63];

describe("opening", () => {
  it("sends the SYN seven times with doubled waits, then ETIMEDOUT", () => {
    const pipe = new Pipe();
    pipe.drop = () => true;
    const client = new Peer();
    pipe.a.connect(ADDR_B, 80, client);
    pipe.run(126.9 * SEC);
    expect(client.events).toEqual([]);
    pipe.run(SEC);
    expect(pipe.sent.map((s) => s.timeNs / SEC)).toEqual(SYNS);
    expect(new Set(pipe.sent.map((s) => `${s.flags} ${s.seq}`))).toEqual(new Set([`${TCP_SYN} ${pipe.sent[0].seq}`]));
    expect(client.events).toEqual(["closed ETIMEDOUT"]);
    expect(pipe.a.connections).toBe(0);
  });

  it("repeats the SYN/ACK five times", () => {
    const pipe = new Pipe();
    pipe.drop = (s) => s.from === "b";
    const server = new Peer();
    pipe.b.listen(0, 80, () => server);
    pipe.a.connect(ADDR_B, 80, new Peer());
    pipe.drop = (s) => s.from === "b" || s.timeNs > 0;
    pipe.run(200 * SEC);
    const synAcks = pipe.sent.filter((s) => s.from === "b");
    expect(synAcks.map((s) => Math.round(s.timeNs / SEC))).toEqual(SYNS.slice(0, 6));
    expect(server.events).toEqual([]);
    expect(pipe.b.connections).toBe(0);
  });

  it("is refused where nothing listens, and once a listener is closed", () => {
    const pipe = new Pipe();
    const client = new Peer();
    pipe.a.connect(ADDR_B, 81, client);
    pipe.run(SEC);
    expect(client.events).toEqual(["closed ECONNREFUSED"]);
    const rst = pipe.sent[1];
    expect(rst).toMatchObject({ from: "b", flags: TCP_RST | TCP_ACK, seq: 0, ack: (pipe.sent[0].seq + 1) >>> 0 });
    const listener = pipe.b.listen(0, 80, () => new Peer());
    listener.close();
    const again = new Peer();
    pipe.a.connect(ADDR_B, 80, again);
    pipe.run(SEC);
    expect(again.error).toBe("ECONNREFUSED");
  });

  it("survives both sides opening at once", () => {
    const pipe = new Pipe();
    const up = randomBytes(1, 5000);
    const a = new Peer({ connected: (s) => s.write(source(up)) });
    const b = new Peer({ connected: (s) => s.end(), ended: (s) => s.end() });
    pipe.a.connect(ADDR_B, 2000, a, { localPort: 1000 });
    pipe.b.connect(ADDR_A, 1000, b, { localPort: 2000 });
    pipe.run(SEC);
    a.socket?.end();
    pipe.run(SEC);
    expect(pipe.sent.slice(0, 4).map((s) => s.flags)).toEqual([TCP_SYN, TCP_SYN, TCP_SYN | TCP_ACK, TCP_SYN | TCP_ACK]);
    expect(b.bytes).toEqual(up);
    expect(a.events).toEqual(["connected", "ended", "closed"]);
    expect(b.events).toEqual(["connected", "ended", "closed"]);
  });

  it("gives up at once on unreachable while it opens, and takes it as a hint afterwards", () => {
    const pipe = new Pipe();
    pipe.b.listen(0, 80, () => new Peer());
    const quote = (socket: TcpSocket, seq: number) => {
      const skb = pipe.pool.get(L4_OFFSET + 8);
      const view = skb.view;
      view.setUint32(skb.head + 26, ADDR_A);
      view.setUint32(skb.head + 30, ADDR_B);
      view.setUint16(skb.head + 34, socket.localPort);
      view.setUint16(skb.head + 36, 80);
      view.setUint32(skb.head + 38, seq);
      return skb;
    };
    for (const [code, error] of [
      [0, "ENETUNREACH"],
      [1, "EHOSTUNREACH"],
      [3, "ECONNREFUSED"],
    ] as const) {
      const client = new Peer();
      const socket = pipe.a.connect(ADDR_B, 80, client);
      pipe.ipA.icmp(3, code, 0, quote(socket, pipe.sent.at(-1)!.seq));
      expect(client.events).toEqual([`closed ${error}`]);
    }

    const client = new Peer();
    const socket = pipe.a.connect(ADDR_B, 80, client);
    pipe.run(SEC);
    pipe.drop = () => true;
    socket.write(source(randomBytes(2, 100)));
    pipe.ipA.icmp(3, 1, 0, quote(socket, pipe.sent.at(-1)!.seq));
    expect(client.events).toEqual(["connected"]);
    pipe.run(2000 * SEC);
    expect(client.events).toEqual(["connected", "closed EHOSTUNREACH"]);
  });

  it("knows no route and no free pair before it sends anything", () => {
    const pipe = new Pipe();
    const lost = new Peer();
    pipe.a.connect(0x01020304, 80, lost);
    pipe.a.connect(ADDR_B, 80, new Peer(), { localPort: 7000 });
    const twice = new Peer();
    pipe.a.connect(ADDR_B, 80, twice, { localPort: 7000 });
    expect(lost.events).toEqual([]);
    pipe.run(MS);
    expect(lost.events).toEqual(["closed ENETUNREACH"]);
    expect(twice.events).toEqual(["closed EADDRINUSE"]);
    expect(pipe.sent.filter((s) => s.from === "a")).toHaveLength(1);
  });

  it("works without any option, and from random initial numbers and ports", () => {
    const pipe = new Pipe(5, { sack: false, timestamps: false, windowScaling: false });
    const server = new Peer();
    pipe.b.listen(0, 80, () => server);
    const ports = new Set<number>();
    for (let i = 0; i < 100; i++) {
      const socket = pipe.a.connect(ADDR_B, 80, new Peer());
      expect(socket.localPort).toBeGreaterThanOrEqual(32768);
      expect(socket.localPort).toBeLessThanOrEqual(60999);
      ports.add(socket.localPort);
    }
    expect(ports.size).toBe(100);
    expect(new Set(pipe.sent.map((s) => s.seq)).size).toBe(100);
    expect(pipe.sent[0].total).toBe(44);
    pipe.run(SEC);
    expect(pipe.a.sockets().every((s) => s.state === TCP_STATE.ESTABLISHED)).toBe(true);
  });
});
