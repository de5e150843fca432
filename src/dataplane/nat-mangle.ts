/**
 * Translating packets of a flow whose NAT is set up (net/netfilter/nf_nat_core.c nf_nat_packet, nf_nat_proto.c
 * nf_nat_icmp_reply_translation). A packet gets what the inverse of its flow's *other* tuple says, at the hooks where
 * its flow and direction have something to change. In place, checksums included.
 */
import { rd16, wr16 } from "../wire/bytes.ts";
import { csumFold, csumPartial, inetChecksum } from "../wire/checksum.ts";
import { ICMP_CHECK } from "../wire/icmp.ts";
import { IPPROTO_ICMP, IPV4_DADDR, IPV4_SADDR, IPV4_TOT_LEN } from "../wire/ipv4.ts";
import { rewriteDestination, rewriteIpv4Addr, rewriteQuoted, rewriteSource } from "../wire/rewrite.ts";
import { type Conntrack, IP_CT_INVALID, IP_CT_RELATED, IP_CT_RELATED_REPLY } from "./conntrack.ts";
import { IP_CT_DIR_REPLY, IPS_DST_NAT, IPS_NAT_MASK, IPS_SRC_NAT } from "./conntrack-table.ts";

/** Which end of the packet a hook may change: the destination at PREROUTING and OUTPUT, the source at INPUT and POSTROUTING. */
export const NF_NAT_MANIP_SRC = 0;
export const NF_NAT_MANIP_DST = 1;

/** Translates the packet that `ct` has just resolved. False when it must be dropped: an ICMP error with a bad checksum. */
export function natPacket(ct: Conntrack, pkt: Uint8Array, ipOff: number, manip: number): boolean {
  const info = ct.ctinfo;
  if (info === IP_CT_INVALID) return true;
  let bit = manip === NF_NAT_MANIP_SRC ? IPS_SRC_NAT : IPS_DST_NAT;
  if (ct.dir === IP_CT_DIR_REPLY) bit ^= IPS_NAT_MASK;
  if ((ct.table.status[ct.flow] & bit) === 0) return true;
  if (info === IP_CT_RELATED || info === IP_CT_RELATED_REPLY) return natIcmpError(ct, pkt, ipOff, manip);
  const words = ct.table.tuples;
  const w = (ct.flow * 2 + (ct.dir ^ 1)) * 4;
  const ports = words[w + 2];
  const icmp = words[w + 3] === IPPROTO_ICMP;
  if (manip === NF_NAT_MANIP_SRC) rewriteSource(pkt, ipOff, words[w + 1], icmp ? ports >>> 16 : ports & 0xffff);
  // A destination NAT has no port to change in ICMP, but the reply to a translated echo gets its identifier back here.
  else rewriteDestination(pkt, ipOff, words[w], ports >>> 16);
  return true;
}

/** The quoted packet went the opposite way, so its opposite end is the one to change, and to the other tuple itself. */
function natIcmpError(ct: Conntrack, pkt: Uint8Array, ipOff: number, manip: number): boolean {
  const l4 = ipOff + (pkt[ipOff] & 0xf) * 4;
  const end = ipOff + rd16(pkt, ipOff + IPV4_TOT_LEN);
  if (csumFold(csumPartial(pkt, l4, end - l4)) !== 0xffff) return false;
  const words = ct.table.tuples;
  const w = (ct.flow * 2 + (ct.dir ^ 1)) * 4;
  const ports = words[w + 2];
  if (manip === NF_NAT_MANIP_DST) {
    rewriteQuoted(pkt, l4 + 8, end, true, words[w], ports >>> 16);
    rewriteIpv4Addr(pkt, ipOff, IPV4_DADDR, words[w]);
  } else {
    const icmp = words[w + 3] === IPPROTO_ICMP;
    rewriteQuoted(pkt, l4 + 8, end, false, words[w + 1], icmp ? ports >>> 16 : ports & 0xffff);
    rewriteIpv4Addr(pkt, ipOff, IPV4_SADDR, words[w + 1]);
  }
  wr16(pkt, l4 + ICMP_CHECK, 0);
  wr16(pkt, l4 + ICMP_CHECK, inetChecksum(pkt, l4, end - l4));
  return true;
}
