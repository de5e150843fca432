import { describe, expect, it } from "vitest";
import { TCP_STATE } from "../../../src/sim/tcp/tcb.ts";
import { MS, SEC } from "../../../src/sim/types.ts";
import { TCP_FIN, TCP_RST, TCP_SYN } from "../../../src/wire/tcp.ts";
import { difference, Peer, randomBytes, source } from "./peer.ts";
import { ADDR_B, Pipe } from "./pipe.ts";

/** An open connection between two peers. */
function open(pipe: Pipe, localPort?: number) {
  const server = new Peer();
  const client = new Peer();
  const listener = pipe.b.listen(0, 80, () => server);
  pipe.a.connect(ADDR_B, 80, client, { localPort });
  pipe.run(10 * MS);
  listener.close();
  return { server, client, a: client.socket!, b: server.socket! };
}

describe("closing", () => {
  it("goes through the states, and TIME_WAIT takes 60 s", () => {
    const pipe = new Pipe();
    const { a, b, client, server } = open(pipe);
    a.end();
    expect(a.state).toBe(TCP_STATE.FIN_WAIT_1);
    pipe.run(MS);
    expect([a.state, b.state]).toEqual([TCP_STATE.FIN_WAIT_2, TCP_STATE.CLOSE_WAIT]);
    b.end();
    expect(b.state).toBe(TCP_STATE.LAST_ACK);
    pipe.run(MS);
    expect([a.state, b.state]).toEqual([TCP_STATE.TIME_WAIT, TCP_STATE.CLOSED]);
    expect(client.events).toEqual(["connected", "ended", "closed"]);
    expect(server.events).toEqual(["connected", "ended", "closed"]);
    pipe.run(59 * SEC);
    expect(a.state).toBe(TCP_STATE.TIME_WAIT);
    pipe.run(SEC);
    expect(a.state).toBe(TCP_STATE.CLOSED);
    expect(pipe.a.connections).toBe(0);
  });

  it("lets data come back after the own FIN", () => {
    const pipe = new Pipe();
    const { a, b, client } = open(pipe);
    const down = randomBytes(3, 400_000);
    a.end();
    pipe.run(SEC);
    expect(b.write(source(down))).toBe(true);
    expect(a.write(source(down))).toBe(false);
    pipe.run(SEC);
    b.end();
    pipe.run(SEC);
    expect(difference(client.bytes, down)).toBe(-1);
    expect(client.events).toEqual(["connected", "ended", "closed"]);
  });

  it("works from both sides at once", () => {
    const pipe = new Pipe();
    const { a, b, client, server } = open(pipe);
    a.end();
    b.end();
    pipe.run(60_000);
    expect([a.state, b.state]).toEqual([TCP_STATE.CLOSING, TCP_STATE.CLOSING]);
    pipe.run(MS);
    expect([a.state, b.state]).toEqual([TCP_STATE.TIME_WAIT, TCP_STATE.TIME_WAIT]);
    expect(client.events.at(-1)).toBe("closed");
    expect(server.events.at(-1)).toBe("closed");
  });

  it("acknowledges a FIN that comes again, and starts TIME_WAIT anew", () => {
    const pipe = new Pipe();
    const { a, b } = open(pipe);
    a.end();
    pipe.run(MS);
    let lost = 0;
    pipe.drop = (s) => s.from === "a" && lost++ === 0;
    b.end();
    pipe.run(MS);
    expect([a.state, b.state]).toEqual([TCP_STATE.TIME_WAIT, TCP_STATE.LAST_ACK]);
    pipe.run(SEC);
    expect(b.state).toBe(TCP_STATE.CLOSED);
    expect(pipe.sent.filter((s) => s.from === "b" && s.flags & TCP_FIN)).toHaveLength(2);
    pipe.run(59.1 * SEC);
    expect(a.state).toBe(TCP_STATE.TIME_WAIT);
  });

  it("takes a pair in TIME_WAIT for a new connection", () => {
    // The client closes first: its own side is in TIME_WAIT.
    const pipe = new Pipe();
    const first = open(pipe, 5555);
    first.a.end();
    pipe.run(MS);
    first.b.end();
    pipe.run(MS);
    expect(first.a.state).toBe(TCP_STATE.TIME_WAIT);
    const second = open(pipe, 5555);
    expect(second.a.state).toBe(TCP_STATE.ESTABLISHED);
    expect(pipe.a.connections).toBe(1);
    // The server closes first: its side has to take the SYN.
    second.b.end();
    pipe.run(MS);
    second.a.end();
    pipe.run(MS);
    expect(second.b.state).toBe(TCP_STATE.TIME_WAIT);
    expect(second.a.state).toBe(TCP_STATE.CLOSED);
    const third = open(pipe, 5555);
    expect(third.a.state).toBe(TCP_STATE.ESTABLISHED);
    expect(pipe.b.connections).toBe(1);
  });
});

describe("resets", () => {
  it("abort tells the peer at once", () => {
    const pipe = new Pipe();
    const { a, client, server } = open(pipe);
    a.write(source(randomBytes(1, 100_000)));
    a.abort();
    pipe.run(SEC);
    expect(client.events).toEqual(["connected", "closed ECONNABORTED"]);
    expect(server.events).toEqual(["connected", "closed ECONNRESET"]);
    expect(pipe.a.connections + pipe.b.connections).toBe(0);
  });

  it("a segment for a connection that is gone is answered with a RST at its acknowledgment", () => {
    const pipe = new Pipe();
    const { a, b, server } = open(pipe);
    pipe.drop = (s) => (s.flags & TCP_RST) !== 0;
    a.abort();
    pipe.run(MS);
    expect(b.state).toBe(TCP_STATE.ESTABLISHED);
    pipe.drop = undefined;
    b.write(source(randomBytes(1, 10)));
    pipe.run(MS);
    const rst = pipe.sent.at(-1)!;
    const data = pipe.sent.at(-2)!;
    expect(rst).toMatchObject({ from: "a", flags: TCP_RST, seq: data.ack });
    expect(server.events.at(-1)).toBe("closed ECONNRESET");
  });

  it("only a RST at exactly the next number counts; others, and SYNs, are challenged (RFC 5961)", () => {
    const pipe = new Pipe();
    const { b } = open(pipe);
    const ack = pipe.sent.at(-1)!;
    /** A forged segment towards b, with a right checksum. */
    const forge = (flags: number, seq: number) => {
      pipe.run(SEC);
      const before = pipe.sent.length;
      const skb = pipe.forged("b", pipe.a.sockets()[0].localPort, 80, seq >>> 0, ack.ack, flags);
      pipe.ipB.inject(skb);
      return pipe.sent.slice(before);
    };
    expect(forge(TCP_RST, ack.seq + 1000)).toMatchObject([{ from: "b", ack: ack.seq }]);
    expect(forge(TCP_SYN, ack.seq + 1000)).toMatchObject([{ from: "b", ack: ack.seq }]);
    expect(forge(TCP_RST, ack.seq - 1000)).toEqual([]);
    expect(forge(TCP_RST, ack.seq + 10_000_000)).toEqual([]);
    expect(b.state).toBe(TCP_STATE.ESTABLISHED);
    forge(TCP_RST, ack.seq);
    expect(b.state).toBe(TCP_STATE.CLOSED);
  });
});
