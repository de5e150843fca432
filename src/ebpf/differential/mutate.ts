/** Makes valid frames nearly valid: one field at a time, at the values where a check could be off by one. */
import type { Rng } from "../../sim/types.ts";
import { rd16, rd32, wr16, wr32 } from "../../wire/bytes.ts";
import { ETH_HLEN } from "../../wire/ethernet.ts";
import { IPV4_HLEN } from "../../wire/ipv4.ts";
import type { FrameMaker } from "./frames.ts";
import { pick } from "./state.ts";

type Mutator = (f: FrameMaker, rng: Rng) => void;

const PROTOS = [0, 1, 4, 6, 17, 41, 132, 255];
const FRAGS = [0x2000, 0x0001, 0x1fff, 0x2001, 0x4000, 0x6000, 0x0100];
const TYPES = [0x8100, 0x88a8, 0x0806, 0x86dd, 0x0801, 0x9100];

const flip = (b: Uint8Array, off: number, rng: Rng): void => {
  b[off] ^= 1 << rng.below(8);
};

/** Lengths around what holds: exact, one off, of the header alone, the ends of the range. */
function length16(b: Uint8Array, off: number, header: number, rng: Rng): void {
  const now = rd16(b, off);
  wr16(
    b,
    off,
    pick(rng, [
      now - 1,
      now + 1,
      header,
      header - 1,
      header + 1,
      header + 7,
      header + 8,
      0,
      0xffff,
      now - 4,
      rng.u32(),
    ]),
  );
}

const OUTER: readonly Mutator[] = [
  (f, rng) => wr16(f.buf, 12, pick(rng, TYPES)),
  (f, rng) => flip(f.buf, f.at.ip, rng),
  (f, rng) => {
    f.buf[f.at.ip] = (f.buf[f.at.ip] & 0xf0) | rng.below(16);
  },
  (f, rng) => length16(f.buf, f.at.ip + 2, f.at.l4 - f.at.ip, rng),
  (f, rng) => length16(f.buf, f.at.ip + 2, f.at.l4 - f.at.ip + 20, rng),
  (f, rng) => wr16(f.buf, f.at.ip + 6, pick(rng, FRAGS)),
  (f, rng) => {
    f.buf[f.at.ip + 9] = pick(rng, PROTOS);
  },
  (f, rng) => length16(f.buf, f.at.l4 + 4, 8, rng),
  (f, rng) => wr16(f.buf, f.at.l4 + rng.below(2) * 2, rng.u32()),
];

const GUE: readonly Mutator[] = [
  (f, rng) => {
    f.buf[f.at.gue] = rng.u32();
  },
  (f, rng) => flip(f.buf, f.at.gue, rng),
  (f, rng) => {
    f.buf[f.at.gue] = (f.buf[f.at.gue] & 0xe0) | rng.below(9);
  },
  (f, rng) => flip(f.buf, f.at.gue + 1, rng),
  (f, rng) => flip(f.buf, f.at.gue + 2 + rng.below(2), rng),
  (f, rng) => flip(f.buf, f.at.gue + 4 + rng.below(4), rng),
  (f, rng) => flip(f.buf, f.at.gue + 8 + rng.below(16), rng),
  (f, rng) => flip(f.buf, f.at.gue + 24 + rng.below(4), rng),
  (f) => {
    // The tunnel that the older form of the ping names.
    wr32(f.buf, f.at.gue + 24, rd32(f.buf, f.at.gue + 4));
  },
  (f, rng) => shorten(f, f.at.gue + rng.below(Math.max(1, f.len - f.at.gue))),
  (f, rng) => shorten(f, f.at.gue + rng.below(30)),
];

const INNER: readonly Mutator[] = [
  (f, rng) => flip(f.buf, f.at.inner, rng),
  (f, rng) => {
    f.buf[f.at.inner] = (f.buf[f.at.inner] & 0xf0) | rng.below(16);
  },
  (f, rng) => length16(f.buf, f.at.inner + 2, f.at.innerL4 - f.at.inner, rng),
  (f, rng) => length16(f.buf, f.at.inner + 2, f.at.innerL4 - f.at.inner + 20, rng),
  (f, rng) => wr16(f.buf, f.at.inner + 6, pick(rng, FRAGS)),
  (f, rng) => {
    f.buf[f.at.inner + 9] = pick(rng, PROTOS);
  },
  (f, rng) => shorten(f, f.at.inner + rng.below(Math.max(1, f.len - f.at.inner))),
];

/** Ends the datagram at `end` with its lengths right: truncation that only the payload's own lengths give away. */
function shorten(f: FrameMaker, end: number): void {
  const to = Math.min(end, f.len);
  wr16(f.buf, f.at.l4 + 4, to - f.at.l4);
  wr16(f.buf, f.at.ip + 2, to - f.at.ip);
  f.len = to;
}

/** Changes the frame in one to three places. */
export function mutate(f: FrameMaker, rng: Rng): void {
  if (f.at.l4 === 0) return;
  for (let n = 1 + (rng.below(4) === 0 ? rng.below(3) : 0); n > 0; n--) {
    const part = rng.below(10);
    if (part === 0) flip(f.buf, 12 + rng.below(f.len - 12), rng);
    else if (part === 1) f.len = ETH_HLEN + rng.below(f.len - ETH_HLEN + 1);
    else if (f.at.inner !== 0 && part < 5) pick(rng, INNER)(f, rng);
    else if (f.at.gue !== 0 && part < 8) pick(rng, GUE)(f, rng);
    else pick(rng, OUTER)(f, rng);
    if (f.len < f.at.l4 + 8 || f.len < ETH_HLEN + IPV4_HLEN) break;
  }
}

const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;
const IPV6_HLEN = 40;

/** Brings the length back to what BPF_PROG_TEST_RUN builds: whole IP headers behind their EtherTypes. */
export function makeRunnable(f: FrameMaker): void {
  const type = rd16(f.buf, 12);
  f.len = Math.max(f.len, ETH_HLEN + (type === ETH_P_IP ? IPV4_HLEN : type === ETH_P_IPV6 ? IPV6_HLEN : 1));
}
