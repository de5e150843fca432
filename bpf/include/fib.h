/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The kernel's forwarding decision: next hop's interface and MAC addresses. Results are counted as notes. */
#ifndef GUELAB_FIB_H
#define GUELAB_FIB_H

#include <linux/if_ether.h>
#include "stats.h"

#define AF_INET 2

static __always_inline __u32 fib_note(int rc)
{
	return rc >= 0 && rc <= 9 ? (__u32)(FIB_SUCCESS + rc) : FIB_ERROR;
}

/*
 * Looks the route of a packet up and, on success, writes both MAC addresses. Returns the interface to leave by,
 * 0 when the lookup did not succeed (the old addresses stay), or -1 when the packet cannot be written.
 */
static __always_inline int set_macs_by_fib(struct __sk_buff *skb, struct hook *h, const struct endpoint *src,
				    const struct endpoint *dst, __u8 proto)
{
	struct bpf_fib_lookup fib = {
		.family = AF_INET,
		.l4_protocol = proto,
		.sport = src->port,
		.dport = dst->port,
		.ipv4_src = src->ip,
		.ipv4_dst = dst->ip,
		.ifindex = skb->ifindex,
	};
	struct {
		__u8 dmac[ETH_ALEN];
		__u8 smac[ETH_ALEN];
	} macs;
	int rc = bpf_fib_lookup(skb, &fib, sizeof(fib), 0);

	h->fib = rc < 0 ? -2 : rc;
	count_reason(fib_note(rc));
	if (rc != BPF_FIB_LKUP_RET_SUCCESS)
		return 0;
	__builtin_memcpy(macs.dmac, fib.dmac, ETH_ALEN);
	__builtin_memcpy(macs.smac, fib.smac, ETH_ALEN);
	if (bpf_skb_store_bytes(skb, 0, &macs, sizeof(macs), 0))
		return -1;
	return fib.ifindex;
}

#endif
