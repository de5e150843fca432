/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Counters: reasons and notes (REASON), packets and bytes of an interface (STATS). Per CPU, so plain additions do. */
#ifndef GUELAB_STATS_H
#define GUELAB_STATS_H

#include "hook.h"

static __always_inline void count_reason(__u32 reason)
{
	struct u32_value slot = { .value = reason };
	struct u64_value *count = bpf_map_lookup_elem(&REASON, &slot);

	if (count)
		count->value++;
}

/* Counts the packet for its interface; the entry comes into being with the first packet after CONFIG. */
static __always_inline void count_packet(struct __sk_buff *skb, const struct hook *h)
{
	struct u32_value ifindex = { .value = skb->ifindex };
	struct if_stats *stats = bpf_map_lookup_elem(&STATS, &ifindex);

	if (!stats) {
		struct if_stats zero = {};

		bpf_map_update_elem(&STATS, &ifindex, &zero, BPF_NOEXIST);
		stats = bpf_map_lookup_elem(&STATS, &ifindex);
		if (!stats)
			return;
	}
	if (h->hook == HOOK_INGRESS) {
		stats->rx_packets++;
		stats->rx_bytes += h->len_in;
	} else {
		stats->tx_packets++;
		stats->tx_bytes += h->len_in;
	}
}

#endif
