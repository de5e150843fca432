/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* MSS clamping (RFC 9293 section 3.7.1): SYNs that go into the tunnel, or return directly, ask for segments that fit. */
#ifndef GUELAB_MSS_H
#define GUELAB_MSS_H

#include "nat.h"
#include "stats.h"

#define TCP_OPTIONS_MAX 40
#define TCPOPT_EOL 0
#define TCPOPT_NOP 1
#define TCPOPT_MSS 2
#define TCPOLEN_MSS 4
/* Outer IPv4, UDP and GUE (52), inner IPv4 and TCP without options (40). */
#define MSS_OVERHEAD 92
#define TCP_FLAGS_OFF 13
#define TCP_SYN 0x02

/* Lowers the MSS old, which stands at off of the TCP header; its checksum follows. */
static __always_inline int lower_mss(struct __sk_buff *skb, const struct hook *h, const struct packet *p,
				     __u16 old, __u32 off)
{
	__u16 new = h->mtu - MSS_OVERHEAD < 65535 ? h->mtu - MSS_OVERHEAD : 65535;
	__be16 wire = bpf_htons(new);

	if (old <= new)
		return 0;
	/* At an odd offset the two bytes belong to the low and the high half of two words of the checksum. */
	if (bpf_l4_csum_replace(skb, l4_check_off(p), off & 1 ? old : bpf_htons(old), off & 1 ? new : wire, sizeof(wire)) ||
	    bpf_skb_store_bytes(skb, l4_off(p) + off, &wire, sizeof(wire), 0))
		return -1;
	count_reason(MSS_CLAMPED);
	return 0;
}

/* Lowers the MSS option of a SYN or SYN/ACK to mtu - 92. Non-zero when the packet cannot be written. */
static __always_inline int clamp_mss(struct __sk_buff *skb, const struct hook *h, const struct packet *p)
{
	__u8 opts[TCP_OPTIONS_MAX + TCPOLEN_MSS] = {};
	struct cursor c = cursor_at(skb, l4_off(p));
	__u8 *tcp;
	__u32 hlen, next = 0, i;
	__u64 len;

	if (!(h->tx & TX_MSS) || p->proto != IPPROTO_TCP || h->mtu < MSS_OVERHEAD)
		return 0;
	tcp = take(&c, TCP_HLEN);
	if (!tcp)
		return -1;
	if (!(tcp[TCP_FLAGS_OFF] & TCP_SYN))
		return 0;
	hlen = (tcp[12] >> 4) * 4;
	/* A data offset behind the end of the packet: nothing of the options can be trusted. */
	if (hlen <= TCP_HLEN || hlen > p->totlen - p->ihl)
		return 0;
	len = hlen - TCP_HLEN;
	asm volatile("" : "+r"(len));
	if (len - 1 >= TCP_OPTIONS_MAX)
		return 0;
	if (bpf_skb_load_bytes(skb, l4_off(p) + TCP_HLEN, opts, len))
		return -1;
	/*
	 * Walks byte by byte and looks only where an option begins: the offset is then a number that the verifier knows.
	 * Behind the last option stand zeros, which read as end-of-list.
	 */
	for (i = 0; i <= TCP_OPTIONS_MAX - TCPOLEN_MSS; i++) {
		__u32 size;

		if (i != next)
			continue;
		if (opts[i] == TCPOPT_EOL)
			return 0;
		if (opts[i] == TCPOPT_NOP) {
			next = i + 1;
			continue;
		}
		size = opts[i + 1];
		if (size < 2 || i + size > len)
			return 0;
		if (opts[i] == TCPOPT_MSS) {
			if (size != TCPOLEN_MSS)
				return 0;
			return lower_mss(skb, h, p, (__u16)opts[i + 2] << 8 | opts[i + 3], TCP_HLEN + i + 2);
		}
		next = i + size;
	}
	return 0;
}

#endif
