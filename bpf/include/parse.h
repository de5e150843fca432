/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Which packets the data path looks at, and what it reads of them: Ethernet, IPv4 (RFC 791), TCP or UDP ports.
 * Everything else passes untouched, each kind with its own reason.
 */
#ifndef GUELAB_PARSE_H
#define GUELAB_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include "cursor.h"
#include "hook.h"

#define IP_MF 0x2000
#define IP_OFFSET 0x1fff
#define TCP_HLEN 20
#define UDP_HLEN 8
#define IPV4_HLEN_MAX 60
/* Outer IPv4, UDP, GUE, inner IPv4, TCP: the furthest that any header is read at a fixed or bounded offset. */
#define HEADERS_MAX (ETH_HLEN + IPV4_HLEN_MAX + UDP_HLEN + 24 + IPV4_HLEN_MAX + TCP_HLEN)

/* parse_packet(): a packet for the data path. */
#define GO_ON (-1)

/* What parse_packet() read. */
struct packet {
	__u32 ihl;	/* IPv4 header length, bytes */
	__u32 totlen;	/* IPv4 total length, bytes */
	__u32 udp_len;	/* UDP length field; 0 for TCP */
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
	__be16 id;
	__be16 frag_off;
	__u8 proto;
};

static __always_inline struct endpoint endpoint(__be32 ip, __be16 port, __u8 proto)
{
	struct endpoint e = { .ip = ip, .port = port, .proto = proto };

	return e;
}

/* Offset of the L4 header. The mask changes nothing; it tells the verifier how far that can be. */
static __always_inline __u32 l4_off(const struct packet *p)
{
	return ETH_HLEN + (p->ihl & 0x3c);
}

/* 0.0.0.0:0 as a translation means none. */
static __always_inline int no_translation(const struct endpoint *e)
{
	return e->ip == 0 && e->port == 0;
}

/* Makes all headers linear; where that fails, the bounds checks behind find them missing. */
static __always_inline void pull_headers(struct __sk_buff *skb)
{
	__u32 want = skb->len < HEADERS_MAX ? skb->len : HEADERS_MAX;

	if ((void *)(long)skb->data + want > (void *)(long)skb->data_end)
		bpf_skb_pull_data(skb, want);
}

/* GO_ON, or the reason to pass the packet untouched. */
static __always_inline int parse_packet(struct __sk_buff *skb, struct packet *p)
{
	struct cursor c;
	struct ethhdr *eth;
	struct iphdr *ip;
	__u32 l4_len;

	if (skb->len < ETH_HLEN)
		return PASS_SHORT;
	pull_headers(skb);
	c = cursor_at(skb, 0);
	eth = take(&c, ETH_HLEN);
	if (!eth)
		return DROP_HELPER;
	if (skb->vlan_present || eth->h_proto == bpf_htons(ETH_P_8021Q) || eth->h_proto == bpf_htons(ETH_P_8021AD))
		return PASS_VLAN;
	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return PASS_NOT_IPV4;
	if (skb->len < ETH_HLEN + sizeof(struct iphdr))
		return PASS_SHORT;
	ip = take(&c, sizeof(struct iphdr));
	if (!ip)
		return DROP_HELPER;
	if (ip->version != 4)
		return PASS_IP_VERSION;
	if (ip->ihl < 5)
		return PASS_IP_IHL;
	p->ihl = ip->ihl * 4;
	p->totlen = bpf_ntohs(ip->tot_len);
	if (p->totlen < p->ihl || ETH_HLEN + p->totlen > skb->len)
		return PASS_IP_TOTLEN;
	if (ip->frag_off & bpf_htons(IP_MF | IP_OFFSET))
		return PASS_FRAGMENT;
	p->id = ip->id;
	p->frag_off = ip->frag_off;
	p->saddr = ip->saddr;
	p->daddr = ip->daddr;
	p->proto = ip->protocol;
	if (p->proto != IPPROTO_TCP && p->proto != IPPROTO_UDP)
		return PASS_PROTO;

	l4_len = p->totlen - p->ihl;
	c = cursor_at(skb, ETH_HLEN + p->ihl);
	if (p->proto == IPPROTO_TCP) {
		struct tcphdr *tcp;

		if (l4_len < TCP_HLEN)
			return PASS_L4_SHORT;
		tcp = take(&c, TCP_HLEN);
		if (!tcp)
			return DROP_HELPER;
		p->sport = tcp->source;
		p->dport = tcp->dest;
		p->udp_len = 0;
	} else {
		struct udphdr *udp;

		if (l4_len < UDP_HLEN)
			return PASS_L4_SHORT;
		udp = take(&c, UDP_HLEN);
		if (!udp)
			return DROP_HELPER;
		p->sport = udp->source;
		p->dport = udp->dest;
		p->udp_len = bpf_ntohs(udp->len);
		if (p->udp_len < UDP_HLEN || p->udp_len > l4_len)
			return PASS_UDP_LENGTH;
	}
	return GO_ON;
}

#endif
