/**
 * Nanoseconds that the NAT box's netfilter costs a packet of an existing flow, all hooks it passes together, beside the floor
 * of the same run: rewriting address and port and patching both checksums with no lookup at all. Packets go round-robin over
 * the flows. A step puts the packet's endpoints back itself; the floor does so too.
 */
import { applyIptables, parseIptables } from "../src/dataplane/iptables.ts";
import { Netfilter, NF_ACCEPT } from "../src/dataplane/netfilter.ts";
import { buildPacket } from "../src/wire/build.ts";
import { wr16, wr32 } from "../src/wire/bytes.ts";
import { ETH_HLEN } from "../src/wire/ethernet.ts";
import { rewriteSource } from "../src/wire/rewrite.ts";

const NAT = 0xac010005;
const EGW = 0xac010003;
const INSIDE = 0xac020000;
const ROUNDS = 20;
const NS_PER_ROUND = 5e6;
const RULES = [
  "-t nat -A POSTROUTING -o eth1 -j MASQUERADE",
  "-P FORWARD DROP",
  "-A FORWARD -i eth2 -o eth1 -j ACCEPT",
  "-A FORWARD -i eth1 -o eth2 -m state --state RELATED,ESTABLISHED -j ACCEPT",
];

/** Flow `i` comes from this inside address and port; the port stays the same outside. */
const addrOf = (i: number): number => (INSIDE + 3 + (i >>> 14)) >>> 0;
const portOf = (i: number): number => 1024 + (i & 0x3fff);

/** Best round's ns per packet. */
function measure(step: (count: number) => void): number {
  let count = 20_000;
  for (let took = 0; took < NS_PER_ROUND; ) {
    const start = process.hrtime.bigint();
    step(count);
    took = Number(process.hrtime.bigint() - start);
    if (took < NS_PER_ROUND) count *= 2;
  }
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    step(count);
    best = Math.min(best, Number(process.hrtime.bigint() - start) / count);
  }
  return best;
}

function packet(src: number, dst: number): Uint8Array {
  const frame = buildPacket({ ip: { src, dst }, udp: { sport: 6000, dport: 5000 }, payload: new Uint8Array(64) });
  return frame.slice(ETH_HLEN);
}

function floor(): number {
  const pkt = packet(addrOf(0), EGW);
  return measure((count) => {
    for (let k = 0; k < count; k++) {
      wr32(pkt, 12, addrOf(k & 0xffff));
      wr16(pkt, 20, portOf(k & 0xffff));
      rewriteSource(pkt, 0, NAT, portOf(k & 0xffff));
    }
  });
}

/** A NAT box with `n` flows, each answered once. Flows of one port differ in the peer's port. */
function box(n: number): Netfilter {
  const nf = new Netfilter({ masqueradeAddr: () => NAT, rng: { below: () => 0 } });
  for (const rule of RULES) applyIptables(nf, parseIptables(rule.split(" ")));
  for (let i = 0; i < n; i++) {
    const out = packet(addrOf(i), EGW);
    wr16(out, 20, portOf(i));
    wr16(out, 22, 5000 + (i >>> 14));
    if (!outward(nf, out, 0)) throw new Error("not masqueraded");
    const back = packet(EGW, NAT);
    wr16(back, 20, 5000 + (i >>> 14));
    wr16(back, 22, portOf(i));
    if (!inward(nf, back, 1)) throw new Error("not let in");
  }
  return nf;
}

function outward(nf: Netfilter, pkt: Uint8Array, now: number): boolean {
  return (
    nf.prerouting(pkt, 0, "eth2", now) === NF_ACCEPT &&
    nf.forward(pkt, 0, "eth2", "eth1") === NF_ACCEPT &&
    nf.postrouting(pkt, 0, "eth1") === NF_ACCEPT
  );
}

function inward(nf: Netfilter, pkt: Uint8Array, now: number): boolean {
  return (
    nf.prerouting(pkt, 0, "eth1", now) === NF_ACCEPT &&
    nf.forward(pkt, 0, "eth1", "eth2") === NF_ACCEPT &&
    nf.postrouting(pkt, 0, "eth2") === NF_ACCEPT
  );
}

/** Later than 2^31 ns, as most of a simulation is. */
const LATER = 5_000_000_000;

function masquerade(nf: Netfilter, n: number): number {
  const pkt = packet(addrOf(0), EGW);
  let i = 0;
  return measure((count) => {
    for (let k = 0; k < count; k++) {
      wr32(pkt, 12, addrOf(i));
      wr16(pkt, 20, portOf(i));
      wr16(pkt, 22, 5000 + (i >>> 14));
      if (!outward(nf, pkt, LATER + k)) throw new Error("not masqueraded");
      i = i + 1 < n ? i + 1 : 0;
    }
  });
}

function back(nf: Netfilter, n: number): number {
  const pkt = packet(EGW, NAT);
  let i = 0;
  return measure((count) => {
    for (let k = 0; k < count; k++) {
      wr32(pkt, 16, NAT);
      wr16(pkt, 20, 5000 + (i >>> 14));
      wr16(pkt, 22, portOf(i));
      if (!inward(nf, pkt, LATER + k)) throw new Error("not let in");
      i = i + 1 < n ? i + 1 : 0;
    }
  });
}

/** Prints one line per figure. */
export async function benchMasquerade(
  print: (line: string) => void,
  sizes: readonly number[] = [1, 1_000, 100_000],
): Promise<void> {
  const base = floor();
  const show = (what: string, ns: number) =>
    print(`${what.padEnd(58)} ${ns.toFixed(1).padStart(7)} ns/packet   floor ${base.toFixed(1)}`);
  show("rewrite of one endpoint and two checksums (floor)", base);
  for (const n of sizes) {
    const nf = box(n);
    const flows = `${n.toLocaleString("en-US")} ${n === 1 ? "flow" : "flows"}`;
    show(`masquerade out, all hooks, ${flows}`, masquerade(nf, n));
    show(`masquerade back in, all hooks, ${flows}`, back(nf, n));
  }
}
