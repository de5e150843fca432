import { describe, expect, it } from "vitest";
import {
  BPF_FIB_LKUP_RET_BLACKHOLE,
  BPF_FIB_LKUP_RET_FRAG_NEEDED,
  BPF_FIB_LKUP_RET_FWD_DISABLED,
  BPF_FIB_LKUP_RET_NO_NEIGH,
  BPF_FIB_LKUP_RET_NOT_FWDED,
  BPF_FIB_LKUP_RET_PROHIBIT,
  BPF_FIB_LKUP_RET_SUCCESS,
  BPF_FIB_LKUP_RET_UNREACHABLE,
  type FibParams,
} from "../../src/dataplane/datapath.ts";
import { Fib, LO_IFINDEX } from "../../src/dataplane/fib.ts";
import { isForwardable, KernelFibHelper } from "../../src/dataplane/fib-helper.ts";
import { ip } from "../support/packets.ts";

const ETH1 = 2;
const ETH2 = 3;
const GATEWAY = ip("172.1.0.1");

/** The NAT box's routes. */
function natFib(): Fib {
  const fib = new Fib();
  fib.addAddress(LO_IFINDEX, ip("127.0.0.1"), 8);
  fib.addAddress(ETH1, ip("172.1.0.5"), 24);
  fib.addAddress(ETH2, ip("172.2.0.2"), 24);
  fib.addRoute({ prefix: 0, len: 0, via: GATEWAY, ifindex: ETH1 });
  fib.addRoute({ prefix: ip("5.5.5.5"), len: 32, via: ip("172.1.0.3"), ifindex: ETH1 });
  return fib;
}

describe("Fib", () => {
  it("takes the longest prefix, and its own addresses first", () => {
    const fib = natFib();
    expect(fib.lookup(ip("5.5.5.5"))).toMatchObject({ via: ip("172.1.0.3"), ifindex: ETH1 });
    expect(fib.lookup(ip("5.5.5.6"))).toMatchObject({ via: GATEWAY });
    expect(fib.lookup(ip("172.2.0.77"))).toMatchObject({ via: 0, ifindex: ETH2, type: "unicast" });
    expect(fib.lookup(ip("172.2.0.2"))).toMatchObject({ type: "local" });
    expect(fib.lookup(ip("172.2.0.255"))).toMatchObject({ type: "broadcast" });
    expect(fib.isLocal(ip("127.99.1.1"))).toBe(true);
    expect(fib.isLocal(ip("172.2.0.3"))).toBe(false);
  });

  it("follows changes at once", () => {
    const fib = natFib();
    const host = ip("172.2.0.77");
    expect(fib.lookup(host)?.ifindex).toBe(ETH2);
    expect(fib.addRoute({ prefix: host, len: 32, type: "blackhole" })).toBe(true);
    expect(fib.lookup(host)?.type).toBe("blackhole");
    expect(fib.removeRoute({ prefix: host, len: 32 })).toBe(true);
    expect(fib.removeRoute({ prefix: host, len: 32 })).toBe(false);
    fib.addAddress(LO_IFINDEX, host, 32);
    expect(fib.isLocal(host)).toBe(true);
    expect(fib.removeAddress(LO_IFINDEX, host)).toBe(true);
    expect(fib.lookup(host)?.ifindex).toBe(ETH2);
    fib.removeInterface(ETH1);
    expect(fib.lookup(ip("8.8.8.8"))).toBeUndefined();
    expect(fib.routes()).toHaveLength(1);
  });

  it("refuses a second route with the same prefix and metric; the lower metric wins", () => {
    const fib = natFib();
    expect(fib.addRoute({ prefix: 0, len: 0, via: 1, ifindex: ETH2 })).toBe(false);
    expect(fib.addRoute({ prefix: 0, len: 0, via: ip("172.2.0.9"), ifindex: ETH2, metric: 10 })).toBe(true);
    expect(fib.lookup(ip("8.8.8.8"))?.ifindex).toBe(ETH1);
    fib.removeRoute({ prefix: 0, len: 0, ifindex: ETH1 });
    expect(fib.lookup(ip("8.8.8.8"))?.ifindex).toBe(ETH2);
  });

  it("chooses source addresses", () => {
    const fib = natFib();
    fib.addAddress(ETH1, ip("172.3.0.5"), 24);
    fib.addRoute({ prefix: ip("9.0.0.0"), len: 8, via: ip("172.3.0.1"), ifindex: ETH1 });
    fib.addRoute({ prefix: ip("9.9.0.0"), len: 16, via: ip("172.3.0.1"), ifindex: ETH1, src: ip("172.2.0.2") });
    fib.addRoute({ prefix: ip("10.0.0.0"), len: 8, type: "unreachable" });
    fib.addRoute({ prefix: ip("11.0.0.0"), len: 8, ifindex: 9 });
    expect(fib.sourceFor(ip("8.8.8.8"))).toBe(ip("172.1.0.5"));
    expect(fib.sourceFor(ip("9.1.1.1"))).toBe(ip("172.3.0.5"));
    expect(fib.sourceFor(ip("9.9.1.1"))).toBe(ip("172.2.0.2"));
    expect(fib.sourceFor(ip("172.2.0.2"))).toBe(ip("172.2.0.2"));
    expect(fib.sourceFor(ip("10.1.1.1"))).toBe(0);
    expect(fib.sourceFor(ip("11.1.1.1"))).toBe(ip("172.1.0.5"));
    expect(new Fib().sourceFor(ip("1.1.1.1"))).toBe(0);
  });
});

describe("bpf_fib_lookup", () => {
  const params = (daddr: number, ifindex = ETH1): FibParams => ({
    ifindex,
    saddr: ip("172.1.0.5"),
    daddr,
    sport: 1,
    dport: 2,
    proto: 17,
    smac: 0,
    dmac: 0,
  });
  const neighbours = new Map([
    [ip("172.2.0.3"), 0x02000000aa01],
    [ip("172.1.0.3"), 0x02000000aa02],
  ]);
  let forwarding = true;
  const fib = natFib();
  for (const [i, type] of (["blackhole", "unreachable", "prohibit"] as const).entries())
    fib.addRoute({ prefix: ip(`20.${i}.0.0`), len: 16, type });
  const helper = new KernelFibHelper({
    fib,
    nicMac: (ifindex) => (ifindex === ETH1 || ifindex === ETH2 ? 0x020000000000 + ifindex : -1),
    forwards: () => forwarding,
    neighbour: (_ifindex, addr) => neighbours.get(addr) ?? -1,
    takes: (_ifindex, frameLen) => isForwardable(1500, frameLen),
  });

  it("gives interface and both MAC addresses of the next hop", () => {
    const p = params(ip("5.5.5.5"), ETH2);
    expect(helper.fibLookup(p)).toBe(BPF_FIB_LKUP_RET_SUCCESS);
    expect(p).toMatchObject({ ifindex: ETH1, smac: 0x020000000002, dmac: 0x02000000aa02, daddr: ip("5.5.5.5") });
    const onLink = params(ip("172.2.0.3"));
    expect(helper.fibLookup(onLink)).toBe(BPF_FIB_LKUP_RET_SUCCESS);
    expect(onLink).toMatchObject({ ifindex: ETH2, dmac: 0x02000000aa01 });
  });

  it.each([
    ["172.2.0.4", BPF_FIB_LKUP_RET_NO_NEIGH],
    ["8.8.8.8", BPF_FIB_LKUP_RET_NO_NEIGH],
    ["172.1.0.5", BPF_FIB_LKUP_RET_NOT_FWDED],
    ["172.1.0.255", BPF_FIB_LKUP_RET_NOT_FWDED],
    ["20.0.1.1", BPF_FIB_LKUP_RET_BLACKHOLE],
    ["20.1.1.1", BPF_FIB_LKUP_RET_UNREACHABLE],
    ["20.2.1.1", BPF_FIB_LKUP_RET_PROHIBIT],
  ])("answers %s with %i", (daddr, rc) => {
    const p = params(ip(daddr));
    expect(helper.fibLookup(p)).toBe(rc);
    expect([p.smac, p.dmac]).toEqual([0, 0]);
  });

  it("says of a frame that the interface would not take that it needs fragmentation, and sets the addresses all the same", () => {
    const found = (frameLen: number) => {
      const p = { ...params(ip("5.5.5.5"), ETH2), frameLen };
      return [helper.fibLookup(p), p.ifindex, p.dmac];
    };
    // MTU, MAC header and the room for a VLAN tag; 0 is of a packet of many segments.
    for (const fits of [0, 1514, 1518]) expect(found(fits)).toEqual([BPF_FIB_LKUP_RET_SUCCESS, ETH1, 0x02000000aa02]);
    expect(found(1519)).toEqual([BPF_FIB_LKUP_RET_FRAG_NEEDED, ETH1, 0x02000000aa02]);
  });

  it("needs a route, forwarding, and an interface", () => {
    const empty = new KernelFibHelper({
      fib: new Fib(),
      nicMac: () => 1,
      forwards: () => true,
      neighbour: () => 1,
      takes: () => true,
    });
    expect(empty.fibLookup(params(1))).toBe(BPF_FIB_LKUP_RET_NOT_FWDED);
    forwarding = false;
    expect(helper.fibLookup(params(ip("5.5.5.5")))).toBe(BPF_FIB_LKUP_RET_FWD_DISABLED);
    forwarding = true;
    expect(helper.fibLookup(params(ip("5.5.5.5"), 77))).toBe(-19);
  });
});
