/**
 * A client, a proxy and a node of real namespaces on one bridge, with the programs attached to proxy and node: what sockets
 * see of the tunnel, its MTU and GSO, both ways.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ControlPlane, type PfcAdd } from "../../src/control/control.ts";
import { attach } from "../../src/ebpf/attach.ts";
import { type Instance, instanceTables } from "../../src/ebpf/load.ts";
import { closeTables, type KernelTables } from "../../src/ebpf/maps.ts";
import { findLink, type NetNs } from "../../src/ebpf/nsenter.ts";
import { REASON, type ReasonName } from "../../src/tables/reasons.ts";
import { RX_DNAT, RX_GUE, TABLES, TX_MSS, TX_PROXY, TX_SNAT } from "../../src/tables/schema.ts";
import { typed } from "../../src/tables/typed.ts";
import { IPPROTO_TCP, IPPROTO_UDP, parseIpv4 } from "../../src/wire/ipv4.ts";
import { ip, sysctl, TestNet, veth } from "./net.ts";
import { describeKernel } from "./require.ts";
import { EMSGSIZE, TcpListener, TcpSocket, transfer, UdpSocket } from "./sockets.ts";

const CLIENT = "172.1.0.2";
const PROXY = "172.1.0.3";
const NODE = "172.1.0.4";
const PUBLIC = "5.5.5.5";
const BACKEND = "1.1.1.1";
const TCP_PORTS = [3100, 4000] as const;
const UDP_PORTS = [3200, 4000] as const;
const FIRST_PORT = { [PROXY]: 5000, [NODE]: 6000 };
const KEY = new TextEncoder().encode("5erv1ceP@55w0rd!");
const addr = (text: string): number => parseIpv4(text) as number;

/** The first bytes of a stream in which no two places look alike. */
const pattern = (len: number): Uint8Array => Uint8Array.from({ length: len }, (_, i) => (i * 31 + (i >> 8) * 17) & 255);

interface Member {
  ns: NetNs;
  instance: Instance;
  tables: KernelTables;
  control: ControlPlane;
}

class DemoNet {
  readonly net = new TestNet();
  client!: NetNs;
  proxy!: Member;
  node!: Member;
  private readonly open: KernelTables[] = [];

  /** `tx` is added to the egress flags of both; `gsoSegs` 1 keeps every host from making GSO packets. */
  constructor(tx: number, gsoSegs?: number) {
    try {
      this.build(tx, gsoSegs);
    } catch (err) {
      this.close();
      throw err;
    }
  }

  private build(tx: number, gsoSegs?: number): void {
    const bridge = this.net.namespace("s");
    ip(bridge, "link add name br0 type bridge");
    ip(bridge, "addr add 172.1.0.1/24 dev br0");
    ip(bridge, "link set br0 up");
    const host = (name: string, address: string): NetNs => {
      const ns = this.net.namespace(name);
      veth({ ns, nic: "eth1" }, { ns: bridge, nic: `p${name}` });
      if (gsoSegs) ip(ns, `link set eth1 gso_max_segs ${gsoSegs}`);
      ip(bridge, `link set p${name} master br0`);
      for (const conf of ["all", "default", "eth1"]) {
        sysctl(ns, `ipv4/conf/${conf}/rp_filter`, 0);
        sysctl(ns, `ipv4/conf/${conf}/send_redirects`, 0);
        sysctl(ns, `ipv4/conf/${conf}/arp_announce`, 2);
      }
      ip(ns, `addr add ${address}/24 dev eth1`);
      ip(ns, "route add default via 172.1.0.1");
      return ns;
    };
    this.client = host("c", CLIENT);
    ip(this.client, `route add ${PUBLIC}/32 via ${PROXY}`);
    const proxy = host("p", PROXY);
    const node = host("n", NODE);
    ip(proxy, `addr add ${PUBLIC}/32 dev lo`);
    ip(node, `addr add ${BACKEND}/32 dev lo`);
    for (const ns of [proxy, node]) sysctl(ns, "ipv4/ip_forward", 1);
    // The FIB lookup needs the neighbour, which GUE pings keep resolved.
    ip(proxy, `neigh replace ${NODE} lladdr ${findLink(node, "eth1").mac} dev eth1 nud permanent`);
    ip(node, `neigh replace ${PROXY} lladdr ${findLink(proxy, "eth1").mac} dev eth1 nud permanent`);
    this.proxy = this.member(proxy, PROXY, RX_GUE | RX_DNAT, TX_PROXY | TX_SNAT | tx);
    this.node = this.member(node, NODE, RX_GUE, tx);
  }

  /** Starts the data path on a host and adds both services, through the control plane that the labs use. */
  private member(ns: NetNs, address: typeof PROXY | typeof NODE, rx: number, tx: number): Member {
    const instance = this.net.load(address.replaceAll(".", "_"));
    const tables = instanceTables(instance);
    this.open.push(tables);
    const link = findLink(ns, "eth1");
    const control = new ControlPlane(
      {
        name: ns.name,
        nic: () => ({ name: "eth1", ifindex: link.ifindex, addr: addr(address), mtu: link.mtu }),
        nicNames: () => ["eth1"],
        attach: (nic) => attach(instance, { nic, netns: ns.name }),
        detach: () => {},
        sendUdp: () => {},
        every: () => () => {},
      },
      tables,
    );
    const first = FIRST_PORT[address];
    control.start({ nic: "eth1", name: "x", rx, tx, portMin: first, portMax: first + 9 });
    const other = address === PROXY ? NODE : PROXY;
    for (const [i, [proto, ports]] of (
      [
        [IPPROTO_TCP, TCP_PORTS],
        [IPPROTO_UDP, UDP_PORTS],
      ] as const
    ).entries()) {
      const add: PfcAdd = {
        nic: "eth1",
        group: 1,
        service: 100 + i,
        key: KEY,
        remoteIp: addr(other),
        remotePort: FIRST_PORT[other] + i,
        proxy: { ip: addr(PUBLIC), port: ports[0], proto },
        backend: { ip: addr(BACKEND), port: ports[1], proto },
      };
      expect(control.add(add)).toBe(first + i);
    }
    return { ns, instance, tables, control };
  }

  close(): void {
    for (const tables of this.open) closeTables(tables);
    this.net.close();
  }
}

const count = (member: Member, reason: ReasonName): number =>
  typed(TABLES.REASON, member.tables.REASON).get({ value: REASON[reason] })?.value ?? 0;
/** Bytes of the largest mean packet that a hook has seen: above the MTU only where GSO packets went through it. */
function meanSent(member: Member): number {
  const [[, s]] = typed(TABLES.STATS, member.tables.STATS).entries();
  return s.tx_bytes / s.tx_packets;
}

/** One TCP connection through the tunnel; gives both ends. */
function connect(net: DemoNet): { client: TcpSocket; server: TcpSocket; close(): void } {
  const listener = new TcpListener(net.node.ns.path, [BACKEND, TCP_PORTS[1]]);
  const client = TcpSocket.connect(net.client.path, [PUBLIC, TCP_PORTS[0]]);
  const server = listener.accept();
  return { client, server, close: () => [client, server, listener].forEach((s) => void s.close()) };
}

describeKernel("a service behind the tunnel", () => {
  describe("without the MSS clamp", () => {
    let net: DemoNet;
    beforeAll(() => {
      net = new DemoNet(0);
    });
    afterAll(() => net?.close());

    it("UDP: what fits arrives, what does not is EMSGSIZE to a sender with DF", () => {
      const client = new UdpSocket(net.client.path, [CLIENT, 33000], [PUBLIC, UDP_PORTS[0]]);
      const server = new UdpSocket(net.node.ns.path, [BACKEND, UDP_PORTS[1]], [CLIENT, 33000]);
      for (const [from, to, who] of [
        [client, server, net.proxy],
        [server, client, net.node],
      ] as const) {
        for (const len of [1, 1420]) {
          expect(from.send(pattern(len))).toBe(0);
          expect(to.receive()).toEqual(pattern(len));
        }
        const before = count(who, "REDIRECT_FRAG_NEEDED");
        expect(from.send(pattern(1448))).toBe(0);
        expect(from.error()).toBe(EMSGSIZE);
        expect(count(who, "REDIRECT_FRAG_NEEDED")).toBe(before + 1);
        // Now the path's MTU is known: 1448 bytes of IPv4, which is what the tunnel leaves of 1500.
        expect(from.send(pattern(1421))).toBe(EMSGSIZE);
        expect(from.send(pattern(1420))).toBe(0);
        expect(to.receive()).toEqual(pattern(1420));
      }
      client.close();
      server.close();
    });

    it("TCP: both ends find the path's MTU, GSO packets go through", () => {
      const { client, server, close } = connect(net);
      const request = pattern(1_000_000);
      const reply = pattern(2_000_001);
      expect(Buffer.compare(transfer(client, server, request), request)).toBe(0);
      expect(Buffer.compare(transfer(server, client, reply), reply)).toBe(0);
      close();
      // The request was too big for the proxy's tunnel, the reply for the node's.
      for (const member of [net.proxy, net.node]) {
        expect(count(member, "REDIRECT_FRAG_NEEDED")).toBeGreaterThan(0);
        expect(count(member, "PASS_ENCAP")).toBeGreaterThan(0);
        expect(count(member, "DROP_HELPER")).toBe(0);
      }
      expect(meanSent(net.node)).toBeGreaterThan(1514);
    });
  });

  it("TCP: the same where no host makes GSO packets", () => {
    const net = new DemoNet(0, 1);
    try {
      const { client, server, close } = connect(net);
      const data = pattern(500_000);
      expect(Buffer.compare(transfer(client, server, data), data)).toBe(0);
      expect(Buffer.compare(transfer(server, client, data), data)).toBe(0);
      close();
      for (const member of [net.proxy, net.node]) expect(count(member, "REDIRECT_FRAG_NEEDED")).toBeGreaterThan(0);
      expect(meanSent(net.node)).toBeLessThanOrEqual(1514);
    } finally {
      net.close();
    }
  });

  it("TCP: with the MSS clamp no packet is ever too big", () => {
    const net = new DemoNet(TX_MSS);
    try {
      const { client, server, close } = connect(net);
      const data = pattern(500_000);
      expect(Buffer.compare(transfer(client, server, data), data)).toBe(0);
      expect(Buffer.compare(transfer(server, client, data), data)).toBe(0);
      close();
      expect(count(net.proxy, "MSS_CLAMPED")).toBe(1);
      expect(count(net.node, "MSS_CLAMPED")).toBe(1);
      for (const member of [net.proxy, net.node]) expect(count(member, "REDIRECT_FRAG_NEEDED")).toBe(0);
    } finally {
      net.close();
    }
  });
});
