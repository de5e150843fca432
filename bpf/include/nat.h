/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Rewriting one endpoint of a packet; checksums are updated, not computed (RFC 1624). */
#ifndef GUELAB_NAT_H
#define GUELAB_NAT_H

#include <stddef.h>
#include "parse.h"

/* Offset of the L4 checksum in the packet. */
static __always_inline __u32 l4_check_off(const struct packet *p)
{
	return l4_off(p) +
	       (p->proto == IPPROTO_TCP ? offsetof(struct tcphdr, check) : offsetof(struct udphdr, check));
}

/* A UDP checksum of 0 means none and stays; a computed 0 is sent as 0xffff (RFC 768). TCP has no such rule. */
static __always_inline __u64 l4_check_flags(const struct packet *p)
{
	return p->proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
}

static __always_inline int nat_rewrite(struct __sk_buff *skb, const struct packet *p, const struct endpoint *to,
				       __be32 old_ip, __be16 old_port, __u32 ip_off, __u32 port_off)
{
	__u32 check = l4_check_off(p);
	__u64 flags = l4_check_flags(p);
	__be32 ip = to->ip;
	__be16 port = to->port;

	if (bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), old_ip, ip, sizeof(ip)) ||
	    bpf_l4_csum_replace(skb, check, old_ip, ip, flags | BPF_F_PSEUDO_HDR | sizeof(ip)) ||
	    bpf_l4_csum_replace(skb, check, old_port, port, flags | sizeof(port)) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN + ip_off, &ip, sizeof(ip), 0) ||
	    bpf_skb_store_bytes(skb, l4_off(p) + port_off, &port, sizeof(port), 0))
		return -1;
	return 0;
}

/* Rewrites the destination; non-zero when the packet cannot be written. */
static __always_inline int nat_dest(struct __sk_buff *skb, const struct packet *p, const struct endpoint *to)
{
	return nat_rewrite(skb, p, to, p->daddr, p->dport, offsetof(struct iphdr, daddr), offsetof(struct udphdr, dest));
}

/* Rewrites the source; non-zero when the packet cannot be written. */
static __always_inline int nat_source(struct __sk_buff *skb, const struct packet *p, const struct endpoint *to)
{
	return nat_rewrite(skb, p, to, p->saddr, p->sport, offsetof(struct iphdr, saddr), offsetof(struct udphdr, source));
}

#endif
