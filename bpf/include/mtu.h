/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Packets too big for the tunnel: turned into the ICMP "fragmentation needed" that their sender gets
 * (RFC 792, RFC 1191) and handed to the interface's own ingress.
 */
#ifndef GUELAB_MTU_H
#define GUELAB_MTU_H

#include <linux/icmp.h>
#include "nat.h"

#define TUNNEL_OVERHEAD 52
#define MTU_MAX 65535
#define QUOTED_L4 8
#define ICMP_TTL 64

/*
 * True when the packet with its tunnel header exceeds CONFIG.mtu (0 = unchecked). A GSO packet is judged by the segments
 * that will be made of it, its TCP header without options.
 */
static __always_inline int exceeds_mtu(struct __sk_buff *skb, const struct hook *h, const struct packet *p)
{
	__u32 size = p->totlen;

	if (size + TUNNEL_OVERHEAD > MTU_MAX)
		return 1;
	if (h->mtu == 0)
		return 0;
	if (skb->gso_size)
		size = p->ihl + (p->proto == IPPROTO_TCP ? TCP_HLEN : UDP_HLEN) + skb->gso_size;
	return size + TUNNEL_OVERHEAD > (h->mtu < MTU_MAX ? h->mtu : MTU_MAX);
}

/* The MTU to report: what the inner packet may have, 0 where nothing fits. */
static __always_inline __u16 next_hop_mtu(const struct hook *h)
{
	__u32 limit = h->mtu && h->mtu < MTU_MAX ? h->mtu : MTU_MAX;

	return limit > TUNNEL_OVERHEAD ? limit - TUNNEL_OVERHEAD : 0;
}

/* Sum of 16-bit words folded to a checksum, all in network order. */
static __always_inline __u16 csum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Checksum after a word changed (RFC 1624 equation 3). */
static __always_inline __u16 csum_replace32(__u16 check, __be32 from, __be32 to)
{
	__u64 sum = (__u64)(__u32)~(__u32)check + (__u32)~from + to;

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return csum_fold(sum);
}

/* What stands in front of the quoted packet. */
struct icmp_error {
	struct iphdr ip;
	struct icmphdr icmp;
};
_Static_assert(sizeof(struct icmp_error) == 28, "icmp_error");

/* The quoted packet was translated on its way in: quote what its sender sent. */
static __always_inline void quote_translate(const struct hook *h, const struct packet *p, struct iphdr *ip,
					    struct udphdr *ports)
{
	struct endpoint backend = endpoint(p->daddr, p->dport, p->proto);
	struct endpoint *proxy;

	if (!(h->rx & RX_DNAT))
		return;
	proxy = bpf_map_lookup_elem(&SNAT, &backend);
	if (!proxy || no_translation(proxy))
		return;
	ip->check = csum_replace32(ip->check, ip->daddr, proxy->ip);
	ip->daddr = proxy->ip;
	ports->dest = proxy->port;
}

static __always_inline int make_frag_needed(struct __sk_buff *skb, struct hook *h, const struct packet *p)
{
	union {
		struct iphdr ip;
		__u8 bytes[64];
	} quote = {};
	struct udphdr ports;
	struct icmp_error e = {};
	struct ethhdr eth;
	__u8 mac[ETH_ALEN];
	/* 64 bits wide, and out of the compiler's sight: the verifier must see the register compared that is used. */
	__u64 ihl = p->ihl;
	__s64 sum;

	asm volatile("" : "+r"(ihl));
	if (ihl < 20 || ihl > IPV4_HLEN_MAX)
		return DROP_HELPER;
	if (bpf_skb_load_bytes(skb, 0, &eth, sizeof(eth)) || bpf_skb_load_bytes(skb, ETH_HLEN, &quote, ihl) ||
	    bpf_skb_load_bytes(skb, l4_off(p), &ports, sizeof(ports)))
		return DROP_HELPER;
	quote_translate(h, p, &quote.ip, &ports);

	__builtin_memcpy(mac, eth.h_dest, ETH_ALEN);
	__builtin_memcpy(eth.h_dest, eth.h_source, ETH_ALEN);
	__builtin_memcpy(eth.h_source, mac, ETH_ALEN);

	e.ip.version = 4;
	e.ip.ihl = 5;
	e.ip.tot_len = bpf_htons(sizeof(e) + p->ihl + QUOTED_L4);
	e.ip.ttl = ICMP_TTL;
	e.ip.protocol = IPPROTO_ICMP;
	e.ip.saddr = p->daddr;
	e.ip.daddr = p->saddr;
	e.ip.check = csum_fold(bpf_csum_diff(NULL, 0, (__be32 *)&e.ip, sizeof(e.ip), 0));
	e.icmp.type = ICMP_DEST_UNREACH;
	e.icmp.code = ICMP_FRAG_NEEDED;
	e.icmp.un.frag.mtu = bpf_htons(next_hop_mtu(h));
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&e.icmp, sizeof(e.icmp), 0);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&quote, ihl, sum);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&ports, sizeof(ports), sum);
	e.icmp.checksum = csum_fold(sum);

	if (bpf_skb_change_tail(skb, ETH_HLEN + sizeof(e) + p->ihl + QUOTED_L4, 0) ||
	    bpf_skb_store_bytes(skb, 0, &eth, sizeof(eth), 0) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN, &e, sizeof(e), 0) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN + sizeof(e), &quote, ihl, 0) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN + sizeof(e) + p->ihl, &ports, sizeof(ports), 0))
		return DROP_HELPER;
	h->redirect = skb->ifindex;
	h->redirect_flags = BPF_F_INGRESS;
	return REDIRECT_FRAG_NEEDED;
}

#endif
