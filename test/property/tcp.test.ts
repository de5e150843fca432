import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SEC } from "../../src/sim/types.ts";
import { difference, Peer, randomBytes, source } from "../sim/tcp/peer.ts";
import { ADDR_B, Pipe } from "../sim/tcp/pipe.ts";

const size = fc.oneof(fc.nat(3000), fc.nat(300_000));
const rate = fc.double({ min: 0, max: 0.2, noNaN: true });
const run = fc.record({
  seed: fc.nat(0xffffffff),
  up: size,
  down: size,
  faults: fc.record({
    loss: rate,
    duplicate: rate,
    reorder: rate,
    corrupt: fc.double({ min: 0, max: 0.1, noNaN: true }),
  }),
  /** Who sends its FIN first; the other one follows at its sight. */
  closer: fc.constantFrom("client", "server", "both"),
  sack: fc.boolean(),
  timestamps: fc.boolean(),
  windowScaling: fc.boolean(),
  rcvBuf: fc.constantFrom(4096, 32768, 262144),
  mtu: fc.constantFrom(576, 1448, 1500),
  /** The client's reader pauses after each of its calls, and goes on when this many ns have passed; 0 = never pauses. */
  pauseNs: fc.constantFrom(0, 0, 1_000_000, 300_000_000),
});

type Run = typeof run extends fc.Arbitrary<infer T> ? T : never;

/** Two hosts send to each other as `r` says, until both connections are closed. */
function transfer(r: Run) {
  const pipe = new Pipe(r.seed, r);
  pipe.record = false;
  pipe.faults = r.faults;
  pipe.hiddenMtu = r.mtu;
  const up = randomBytes(r.seed, r.up);
  const down = randomBytes(r.seed + 1, r.down);
  const server = new Peer({
    connected: (s) => {
      s.write(source(down));
      if (r.closer !== "client") s.end();
    },
    ended: (s) => s.end(),
  });
  const client = new Peer({
    connected: (s) => {
      s.write(source(up));
      if (r.closer !== "server") s.end();
    },
    data: (s) => {
      if (r.pauseNs === 0) return;
      s.pause();
      pipe.clock.schedule(r.pauseNs, { fire: () => s.resume() }, 0);
    },
    ended: (s) => s.end(),
  });
  pipe.b.listen(0, 80, () => server);
  pipe.a.connect(ADDR_B, 80, client);
  pipe.clock.runUntil(() => client.events.at(-1) === "closed" && server.events.at(-1) === "closed", 40_000 * SEC);
  return { pipe, up, down, server, client };
}

describe("TCP under random faults", () => {
  it("delivers exactly the sent bytes, both ways, and closes", () => {
    fc.assert(
      fc.property(run, (r) => {
        const { pipe, up, down, server, client } = transfer(r);
        expect(client.events).toEqual(["connected", "ended", "closed"]);
        expect(server.events).toEqual(["connected", "ended", "closed"]);
        expect(difference(server.bytes, up)).toBe(-1);
        expect(difference(client.bytes, down)).toBe(-1);
        pipe.run(300 * SEC);
        expect(pipe.a.connections + pipe.b.connections).toBe(0);
        expect(pipe.pool.outstanding).toBe(0);
      }),
      { numRuns: 150 },
    );
  });
});
