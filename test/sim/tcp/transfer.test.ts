import { describe, expect, it } from "vitest";
import { TCP_STATE } from "../../../src/sim/tcp/tcb.ts";
import { SEC } from "../../../src/sim/types.ts";
import { TCP_ACK, TCP_FIN, TCP_SYN } from "../../../src/wire/tcp.ts";
import { difference, Peer, randomBytes, source } from "./peer.ts";
import { ADDR_B, Pipe } from "./pipe.ts";

describe("handshake and transfer", () => {
  it("opens with SYN, SYN/ACK, ACK", () => {
    const pipe = new Pipe();
    const server = new Peer();
    const client = new Peer();
    pipe.b.listen(0, 80, () => server);
    pipe.a.connect(ADDR_B, 80, client);
    pipe.run(SEC);
    expect(pipe.sent.map((s) => [s.from, s.flags])).toEqual([
      ["a", TCP_SYN],
      ["b", TCP_SYN | TCP_ACK],
      ["a", TCP_ACK],
    ]);
    expect(client.events).toEqual(["connected"]);
    expect(server.events).toEqual(["connected"]);
    expect(client.socket?.state).toBe(TCP_STATE.ESTABLISHED);
    expect(pipe.sent[1].ack).toBe((pipe.sent[0].seq + 1) >>> 0);
  });

  it("delivers a megabyte each way and closes", () => {
    const pipe = new Pipe();
    const up = randomBytes(1, 1_000_000);
    const down = randomBytes(2, 700_001);
    const server = new Peer({
      connected: (s) => s.write(source(down)),
      ended: (s) => s.end(),
    });
    const client = new Peer({
      connected: (s) => {
        s.write(source(up));
        s.end();
      },
    });
    pipe.b.listen(ADDR_B, 80, () => server);
    pipe.a.connect(ADDR_B, 80, client);
    pipe.run(10 * SEC);
    expect(difference(server.bytes, up)).toBe(-1);
    expect(difference(client.bytes, down)).toBe(-1);
    expect(client.events).toEqual(["connected", "ended", "closed"]);
    expect(server.events).toEqual(["connected", "ended", "closed"]);
    expect(pipe.a.stats.retransSegs + pipe.b.stats.retransSegs).toBe(0);
    expect(pipe.sent.filter((s) => s.flags & TCP_FIN)).toHaveLength(2);
    expect(pipe.b.connections).toBe(0);
    expect(pipe.a.connections).toBe(1);
    pipe.run(60 * SEC);
    expect(pipe.a.connections).toBe(0);
    expect(pipe.pool.outstanding).toBe(0);
  });

  it("tells of segments that nobody takes", () => {
    const pipe = new Pipe();
    const reasons: string[] = [];
    pipe.b.onDrop = (reason, skb) => reasons.push(`${reason} ${skb.end - skb.head}`);
    pipe.a.connect(ADDR_B, 9, new Peer());
    pipe.run(SEC);
    const corrupt = pipe.forged("b", 1, 9, 0, 0, TCP_SYN);
    corrupt.buf[corrupt.end - 1] ^= 1;
    pipe.ipB.inject(corrupt);
    const short = pipe.forged("b", 1, 9, 0, 0, TCP_SYN);
    short.buf[short.head + 34 + 12] = 0x60;
    pipe.ipB.inject(short);
    expect(reasons).toEqual([
      "no such connection, and nothing listens on the port 74",
      "wrong TCP checksum 54",
      "malformed TCP header 54",
    ]);
    expect(pipe.b.stats).toMatchObject({ inErrs: 2, outRsts: 1 });
  });
});
