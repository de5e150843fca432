/** Frames that several tests show: one of everything that crosses a lab. */
import { buildIp, buildPacket, type IpSpec } from "../../src/wire/build.ts";
import { TCP_ACK, TCP_FIN, TCP_PSH, TCP_SYN } from "../../src/wire/tcp.ts";

const CLIENT = 0x020000010002;
const EGW = 0x020000010003;
const KEY = "5erv1ceP@55w0rd!";
const toEgw = { src: CLIENT, dst: EGW };

const syn: IpSpec = {
  ip: { src: "172.1.0.2", dst: "2.2.2.2", id: 0x1234, df: true },
  tcp: {
    sport: 40001,
    dport: 4000,
    seq: 1000,
    flags: TCP_SYN,
    options: [
      { kind: "mss", mss: 1460 },
      { kind: "sackPermitted" },
      { kind: "timestamps", val: 7, ecr: 0 },
      { kind: "nop" },
      { kind: "wscale", shift: 7 },
    ],
  },
};
const reply = (over: NonNullable<IpSpec["tcp"]>, payload = ""): IpSpec => ({
  ip: { src: "2.2.2.2", dst: "172.1.0.2", id: 9, df: true, ttl: 63 },
  tcp: { sport: 4000, dport: 40001, seq: 5000, ack: 1001, flags: TCP_ACK, window: 502, ...over },
  payload,
});

/** A UDP datagram of 74 bytes, to be sent in two fragments. */
const datagram = buildIp({ udp: { sport: 7777, dport: 9999 }, payload: "f".repeat(66) }).slice(20);

/** Name -> frame. */
export const FRAMES: Record<string, Uint8Array> = {
  arpRequest: buildPacket({ eth: { src: CLIENT, dst: 0xffffffffffff }, arp: { spa: "172.1.0.2", tpa: "172.1.0.3" } }),
  arpReply: buildPacket({
    eth: { src: EGW, dst: CLIENT },
    arp: { oper: 2, spa: "172.1.0.3", tha: CLIENT, tpa: "172.1.0.2" },
  }),
  ping: buildPacket({
    eth: toEgw,
    ip: { src: "172.1.0.2", dst: "5.5.5.5", id: 1, df: true },
    icmp: { kind: "echo", id: 17, seq: 1, data: new Uint8Array(56).map((_, i) => i) },
  }),
  pong: buildPacket({
    eth: { src: EGW, dst: CLIENT },
    ip: { src: "5.5.5.5", dst: "172.1.0.2", id: 2 },
    icmp: { kind: "echoReply", id: 17, seq: 1, data: new Uint8Array(56).map((_, i) => i) },
  }),
  syn: buildPacket({ eth: toEgw, ...syn }),
  synAck: buildPacket({ eth: { src: EGW, dst: CLIENT }, ...reply({ flags: TCP_SYN | TCP_ACK }) }),
  ack: buildPacket({
    eth: toEgw,
    ip: { ...syn.ip },
    tcp: { sport: 40001, dport: 4000, seq: 1001, ack: 5001, flags: TCP_ACK },
  }),
  request: buildPacket({
    eth: toEgw,
    ip: { ...syn.ip },
    tcp: { sport: 40001, dport: 4000, seq: 1001, ack: 5001, flags: TCP_ACK | TCP_PSH },
    payload: "GET /hello HTTP/1.1\r\n\r\n",
  }),
  sack: buildPacket({
    eth: { src: EGW, dst: CLIENT },
    ...reply({
      seq: 5001,
      ack: 1023,
      options: [{ kind: "nop" }, { kind: "nop" }, { kind: "sack", blocks: [[1100, 1200]] }],
    }),
  }),
  fin: buildPacket({ eth: { src: EGW, dst: CLIENT }, ...reply({ seq: 5001, ack: 1023, flags: TCP_FIN | TCP_ACK }) }),
  udp: buildPacket({
    eth: toEgw,
    ip: { src: "172.1.0.2", dst: "5.5.5.5", tos: 0x10 },
    udp: { sport: 33000, dport: 3200 },
    payload: "hello, world",
  }),
  gueData: buildPacket({
    eth: { src: EGW, dst: 0x020000010005 },
    ip: { src: "172.1.0.3", dst: "172.1.0.5", id: 0x1234, df: true },
    udp: { sport: 5000, dport: 6000 },
    gue: { group: 1, service: 200, key: KEY },
    inner: syn,
  }),
  guePing: buildPacket({
    eth: { src: 0x020000010005, dst: EGW },
    ip: { src: "172.1.0.5", dst: "172.1.0.3" },
    udp: { sport: 6000, dport: 5000 },
    gue: { group: 1, service: 200, key: KEY, tunnelId: 65736 },
  }),
  guePingOld: buildPacket({
    eth: { src: 0x020000010005, dst: EGW },
    ip: { src: "172.1.0.5", dst: "172.1.0.3" },
    udp: { sport: 6000, dport: 5000 },
    gue: { group: 1, service: 200, key: KEY },
  }),
  guePlain: buildPacket({
    ip: { src: "172.1.0.3", dst: "172.1.0.4" },
    guePlain: {},
    inner: { ip: { src: "172.1.0.2", dst: "1.1.1.1" }, udp: { sport: 1, dport: 2 }, payload: "x" },
  }),
  fragNeeded: buildPacket({
    eth: { src: EGW, dst: CLIENT },
    ip: { src: "2.2.2.2", dst: "172.1.0.2" },
    icmp: { kind: "unreachable", code: 4, mtu: 1448, quoted: buildIp(syn).slice(0, 28) },
  }),
  timeExceeded: buildPacket({
    eth: { src: EGW, dst: CLIENT },
    ip: { src: "172.1.0.3", dst: "172.1.0.2" },
    icmp: { kind: "timeExceeded", code: 0, quoted: buildIp(syn).slice(0, 28) },
  }),
  portUnreachable: buildPacket({
    eth: { src: EGW, dst: CLIENT },
    ip: { src: "5.5.5.5", dst: "172.1.0.2" },
    icmp: {
      kind: "unreachable",
      code: 3,
      mtu: 0,
      quoted: buildIp({ ip: { src: "172.1.0.2", dst: "5.5.5.5" }, udp: { sport: 33000, dport: 9 }, payload: "q" }),
    },
  }),
  fragment: buildPacket({ ip: { mf: true, id: 77, proto: 17 }, payload: datagram.slice(0, 64) }),
  fragmentTail: buildPacket({ ip: { fragOffset: 8, id: 77, proto: 17 }, payload: datagram.slice(64) }),
  options: buildPacket({
    ip: {
      options: [
        { type: 148, data: new Uint8Array(2) },
        { type: 1, data: new Uint8Array(0) },
      ],
    },
    udp: { sport: 9, dport: 10 },
    payload: "opt",
    trailer: new Uint8Array(6),
  }),
};

const quoted = buildIp({ udp: {} });

/** Frames that are rare, malformed or carry wrong checksums. */
export const ODD_FRAMES: Record<string, Uint8Array> = {
  vlan: buildPacket({ eth: { vlans: [{ tpid: 0x8100, tci: 0x3005 }] }, udp: {}, payload: "hi" }),
  qinq: buildPacket({
    eth: {
      vlans: [
        { tpid: 0x88a8, tci: 5 },
        { tpid: 0x8100, tci: 7 },
      ],
    },
    udp: {},
    payload: "hi",
  }),
  v6: buildPacket({ eth: { type: 0x1234 }, payload: "hi" }),
  badck: buildPacket({ ip: { raw: { check: 0x1234 } }, udp: { raw: { check: 0x4321 } }, payload: "hi" }),
  udpshort: buildPacket({ udp: { raw: { length: 7 } }, payload: "hi" }),
  udplong: buildPacket({ udp: { raw: { length: 70 } }, payload: "hi" }),
  totshort: buildPacket({ ip: { raw: { totLen: 10 } }, udp: {}, payload: "hi" }),
  totlong: buildPacket({ ip: { raw: { totLen: 100 } }, udp: {}, payload: "hi" }),
  l4cut: buildPacket({ ip: { raw: { totLen: 23 } }, udp: {}, payload: "hi" }),
  l4cut2: buildPacket({ ip: { raw: { totLen: 26 } }, udp: {}, payload: "hi" }),
  l4cut3: buildPacket({ ip: { raw: { totLen: 36 } }, tcp: {}, payload: "hi" }),
  ihl: buildPacket({ ip: { raw: { versionIhl: 0x44 } }, tcp: {}, payload: "hi" }),
  ver: buildPacket({ ip: { raw: { versionIhl: 0x65 } }, tcp: {}, payload: "hi" }),
  ipip: buildPacket({ ip: { proto: 4 }, payload: buildIp({ udp: {}, payload: "x" }) }),
  p253: buildPacket({ ip: { proto: 253 }, payload: "hello" }),
  rst: buildPacket({ tcp: { flags: 4 } }),
  none: buildPacket({ tcp: { flags: 0 } }),
  all: buildPacket({ tcp: { flags: 0xff, urgent: 5 }, payload: "xx" }),
  redirect: buildPacket({ icmp: { kind: "redirect", code: 1, gateway: 0x01020304, quoted: quoted } }),
  redirect0: buildPacket({ icmp: { kind: "redirect", code: 0, gateway: 0x01020304, quoted: quoted } }),
  param: buildPacket({ icmp: { kind: "parameterProblem", code: 0, pointer: 9, quoted: quoted } }),
  un0: buildPacket({ icmp: { kind: "unreachable", code: 0, mtu: 0, quoted: quoted } }),
  un1: buildPacket({ icmp: { kind: "unreachable", code: 1, mtu: 0, quoted: quoted } }),
  un2: buildPacket({ icmp: { kind: "unreachable", code: 2, mtu: 0, quoted: quoted } }),
  un4: buildPacket({ icmp: { kind: "unreachable", code: 4, mtu: 0, quoted: quoted } }),
  un5: buildPacket({ icmp: { kind: "unreachable", code: 5, mtu: 0, quoted: quoted } }),
  un13: buildPacket({ icmp: { kind: "unreachable", code: 13, mtu: 0, quoted: quoted } }),
  frag2: buildPacket({ icmp: { kind: "timeExceeded", code: 1, quoted: quoted } }),
  other: buildPacket({ icmp: { kind: "other", type: 42, code: 1, rest: 7, data: new Uint8Array(3) } }),
  tos: buildPacket({ ip: { tos: 3, rf: true, df: true, mf: true }, udp: {} }),
  ra: buildPacket({
    ip: {
      options: [
        { type: 148, data: Uint8Array.of(0, 1) },
        { type: 7, data: Uint8Array.of(4, 0, 0, 0, 0) },
        { type: 99, data: new Uint8Array(2) },
      ],
    },
    udp: {},
  }),
  arpThaReq: buildPacket({ arp: { oper: 1, tha: 5 } }),
  arpPad: buildPacket({ arp: { oper: 1 }, trailer: new Uint8Array(18) }),

  totlongtcp: buildPacket({ ip: { raw: { totLen: 100 } }, tcp: { dport: 4000 }, payload: "hi" }),
};
for (const n of [13, 14, 20, 30, 34, 36, 40, 50]) ODD_FRAMES[`syn${n}`] = FRAMES.syn.slice(0, n);
for (const n of [36, 41, 45]) ODD_FRAMES[`udp${n}`] = FRAMES.udp.slice(0, n);
for (const n of [20, 30]) ODD_FRAMES[`arp${n}`] = FRAMES.arpRequest.slice(0, n);
