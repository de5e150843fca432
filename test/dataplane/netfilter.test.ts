import { describe, expect, it } from "vitest";
import { listFlows } from "../../src/dataplane/conntrack-list.ts";
import { NF_ACCEPT } from "../../src/dataplane/netfilter.ts";
import { TCP_ACK, TCP_SYN } from "../../src/wire/tcp.ts";
import { NatBox, OUTSIDE_ADDR } from "../support/nat-box.ts";
import { echo, endpoints, expectChecksums, icmpError, ip, tcp, udp } from "../support/packets.ts";

const CLIENT = ip("172.1.0.2");
const PROXY = ip("5.5.5.5");
const BACKEND = ip("172.2.0.9");
const DNAT = "PREROUTING -p tcp -i eth1 -d 5.5.5.5 --dport 3100 -j DNAT --to-destination 172.2.0.9:4000";

describe("a host without rules", () => {
  it("has nothing to do, and remembers nothing", () => {
    const box = new NatBox([]);
    expect(box.nf.active).toBe(false);
    expect(box.receive(udp(CLIENT, 1, BACKEND, 2), "eth1")).toBe("eth2");
    expect(box.send(udp(OUTSIDE_ADDR, 1, CLIENT, 2))).toBe("eth1");
    expect(listFlows(box.nf.conntrack, 0)).toEqual([]);
  });

  it("filters without tracking when only a policy is set", () => {
    const box = new NatBox(["-P FORWARD DROP"]);
    expect([box.nf.active, box.nf.tracking]).toEqual([true, false]);
    expect(box.receive(udp(CLIENT, 1, BACKEND, 2), "eth1")).toBe("drop");
    box.iptables("-P FORWARD ACCEPT");
    expect(box.nf.active).toBe(false);
  });
});

describe("DNAT", () => {
  it("translates to the backend and the answers back, and only what the rule names", () => {
    const box = new NatBox([`-t nat -A ${DNAT}`]);
    const syn = tcp(CLIENT, 33000, PROXY, 3100, TCP_SYN);
    expect(box.receive(syn, "eth1")).toBe("eth2");
    expect(endpoints(syn)).toBe("6 172.1.0.2:33000 > 172.2.0.9:4000");
    expectChecksums(syn);
    const answer = tcp(BACKEND, 4000, CLIENT, 33000, TCP_SYN | TCP_ACK);
    expect(box.receive(answer, "eth2")).toBe("eth1");
    expect(endpoints(answer)).toBe("6 5.5.5.5:3100 > 172.1.0.2:33000");
    expectChecksums(answer);
    for (const [pkt, dev] of [
      [tcp(CLIENT, 33000, PROXY, 3101, TCP_SYN), "eth1"],
      [tcp(CLIENT, 33001, PROXY, 3100, TCP_SYN), "eth2"],
      [udp(CLIENT, 33000, PROXY, 3100), "eth1"],
    ] as const) {
      const before = endpoints(pkt);
      box.receive(pkt, dev);
      expect(endpoints(pkt)).toBe(before);
    }
  });

  it("keeps the translation of a flow after -D, and gives none to new ones", () => {
    const box = new NatBox([`-t nat -A ${DNAT}`]);
    box.receive(tcp(CLIENT, 33000, PROXY, 3100, TCP_SYN), "eth1");
    box.iptables(`-t nat -D ${DNAT}`);
    const again = tcp(CLIENT, 33000, PROXY, 3100, TCP_SYN);
    box.receive(again, "eth1");
    expect(endpoints(again)).toBe("6 172.1.0.2:33000 > 172.2.0.9:4000");
    const next = tcp(CLIENT, 33001, PROXY, 3100, TCP_SYN);
    box.receive(next, "eth1");
    expect(endpoints(next)).toBe("6 172.1.0.2:33001 > 5.5.5.5:3100");
  });

  it("leaves a flow alone that began before the rule, until it expires", () => {
    const box = new NatBox(["-t nat -A POSTROUTING -o eth9 -j MASQUERADE"]);
    box.receive(tcp(CLIENT, 33000, PROXY, 3100, TCP_SYN), "eth1");
    box.iptables(`-t nat -A ${DNAT}`);
    const again = tcp(CLIENT, 33000, PROXY, 3100, TCP_SYN);
    box.receive(again, "eth1");
    expect(endpoints(again)).toBe("6 172.1.0.2:33000 > 5.5.5.5:3100");
    box.clock.now = 121e9;
    const later = tcp(CLIENT, 33000, PROXY, 3100, TCP_SYN);
    box.receive(later, "eth1");
    expect(endpoints(later)).toBe("6 172.1.0.2:33000 > 172.2.0.9:4000");
  });

  it("changes the source port when two translated flows would look alike to the backend", () => {
    const box = new NatBox([`-t nat -A ${DNAT}`]);
    box.receive(tcp(CLIENT, 33000, PROXY, 3100, TCP_SYN), "eth1");
    const direct = tcp(CLIENT, 33000, BACKEND, 4000, TCP_SYN);
    expect(box.receive(direct, "eth1")).toBe("eth2");
    expect(endpoints(direct)).toBe("6 172.1.0.2:1024 > 172.2.0.9:4000");
    const answer = tcp(BACKEND, 4000, CLIENT, 1024, TCP_SYN | TCP_ACK);
    expect(box.receive(answer, "eth2")).toBe("eth1");
    expect(endpoints(answer)).toBe("6 172.2.0.9:4000 > 172.1.0.2:33000");
    expectChecksums(answer);
  });

  it("works on the host's own packets in OUTPUT, before the route is final", () => {
    const box = new NatBox(["-t nat -A OUTPUT -p tcp -d 5.5.5.5 --dport 3100 -j DNAT --to-destination 172.2.0.9:4000"]);
    const syn = tcp(OUTSIDE_ADDR, 40000, PROXY, 3100, TCP_SYN);
    expect(box.send(syn)).toBe("eth2");
    expect(endpoints(syn)).toBe("6 172.1.0.5:40000 > 172.2.0.9:4000");
    expectChecksums(syn);
  });

  it("translates ICMP errors about the backend for the client", () => {
    const box = new NatBox([`-t nat -A ${DNAT}`]);
    const syn = tcp(CLIENT, 33000, PROXY, 3100, TCP_SYN);
    box.receive(syn, "eth1");
    const error = icmpError(BACKEND, syn, syn.length, 3, 4);
    expect(box.receive(error, "eth2")).toBe("eth1");
    expectChecksums(error);
    expect(endpoints(error)).toMatch(/^1 5\.5\.5\.5:/);
    expect(endpoints(error, 28)).toBe("6 172.1.0.2:33000 > 5.5.5.5:3100");
  });
});

describe("SNAT", () => {
  it("gives address and port, and drops a second flow that would need the same", () => {
    const box = new NatBox(["-t nat -A POSTROUTING -p udp -o eth1 -s 172.2.0.0/16 -j SNAT --to-source 5.5.5.5:3200"]);
    const first = udp(BACKEND, 4000, CLIENT, 9);
    expect(box.receive(first, "eth2")).toBe("eth1");
    expect(endpoints(first)).toBe("17 5.5.5.5:3200 > 172.1.0.2:9");
    expectChecksums(first);
    expect(box.receive(udp(BACKEND, 4001, CLIENT, 9), "eth2")).toBe("drop");
    expect(box.nf.reason).toBe("conntrack: the reply tuple is taken");
  });

  it("chooses a port itself where the rule names only an address", () => {
    const box = new NatBox(["-t nat -A POSTROUTING -o eth1 -j SNAT --to-source 5.5.5.5"]);
    const request = echo(BACKEND, CLIENT, 8, 9);
    expect(box.receive(request, "eth2")).toBe("eth1");
    expect(endpoints(request)).toBe("1 5.5.5.5:9 > 172.1.0.2:9");
    box.receive(udp(BACKEND, 4000, CLIENT, 9), "eth2");
    const second = udp(BACKEND + 1, 4000, CLIENT, 9);
    box.receive(second, "eth2");
    expect(endpoints(second)).toBe("17 5.5.5.5:1024 > 172.1.0.2:9");
  });
});

describe("the filter table", () => {
  it("judges by state, interface, address, protocol and port, first match first", () => {
    const box = new NatBox([
      "-P FORWARD DROP",
      "-A FORWARD -m conntrack --ctstate INVALID -j DROP",
      "-A FORWARD -m state --state ESTABLISHED,RELATED -j ACCEPT",
      "-A FORWARD -i eth2 -o eth1 -p udp -s 172.2.0.9 --dport 50:60 -j ACCEPT",
    ]);
    const pass = (pkt: Uint8Array, dev: "eth1" | "eth2"): string => box.receive(pkt, dev);
    expect(pass(udp(BACKEND, 1, CLIENT, 49), "eth2")).toBe("drop");
    expect(pass(udp(BACKEND + 1, 1, CLIENT, 55), "eth2")).toBe("drop");
    expect(pass(udp(CLIENT, 55, BACKEND, 1), "eth1")).toBe("drop");
    expect(pass(udp(BACKEND, 1, CLIENT, 60), "eth2")).toBe("eth1");
    expect(pass(udp(CLIENT, 60, BACKEND, 1), "eth1")).toBe("eth2");
    expect(pass(icmpError(CLIENT, udp(BACKEND, 1, CLIENT, 60)), "eth1")).toBe("eth2");
    expect(pass(tcp(BACKEND, 1, CLIENT, 55, TCP_SYN), "eth2")).toBe("drop");
    expect(box.nf.reason).toBe("filter FORWARD: policy DROP");
    expect(pass(tcp(BACKEND, 1, CLIENT, 55, 0), "eth2")).toBe("drop");
    expect(box.nf.reason).toBe("filter FORWARD: rule 1 DROP");
  });

  it("guards INPUT and OUTPUT too; a dropped packet leaves no flow", () => {
    const box = new NatBox(["-A INPUT -p udp -m state --state NEW -j DROP", "-A OUTPUT -p udp --dport 7 -j DROP"]);
    expect(box.receive(udp(CLIENT, 1, OUTSIDE_ADDR, 2), "eth1")).toBe("drop");
    expect(box.send(udp(OUTSIDE_ADDR, 1, CLIENT, 7))).toBe("drop");
    expect(listFlows(box.nf.conntrack, 0)).toEqual([]);
    expect(box.send(udp(OUTSIDE_ADDR, 2, CLIENT, 1))).toBe("eth1");
    expect(box.receive(udp(CLIENT, 1, OUTSIDE_ADDR, 2), "eth1")).toBe("local");
  });

  it("matches interfaces by prefix with +", () => {
    const box = new NatBox(["-A FORWARD -i eth+ -o eth2 -j DROP"]);
    expect(box.receive(udp(CLIENT, 1, BACKEND, 2), "eth1")).toBe("drop");
    expect(box.receive(udp(BACKEND, 2, CLIENT, 1), "eth2")).toBe("eth1");
    const none = new NatBox(["-A FORWARD -i ethernet+ -j DROP", "-A FORWARD -i eth22+ -j DROP"]);
    expect(none.receive(udp(BACKEND, 2, CLIENT, 1), "eth2")).toBe("eth1");
  });
});

describe("the loopback interface", () => {
  it("is tracked on its way out only", () => {
    const box = new NatBox();
    const own = udp(OUTSIDE_ADDR, 9, OUTSIDE_ADDR, 10);
    expect(box.send(own)).toBe("local");
    expect(box.nf.prerouting(own, 0, "lo", 0)).toBe(NF_ACCEPT);
    expect(box.nf.input(own, 0, "lo")).toBe(NF_ACCEPT);
    expect(endpoints(own)).toBe("17 172.1.0.5:9 > 172.1.0.5:10");
    expect(listFlows(box.nf.conntrack, 0)).toMatchObject([{ seenReply: false, original: { sport: 9, dport: 10 } }]);
  });
});
