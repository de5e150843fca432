/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Room between MAC header and packet: made for the tunnel header, or taken away with it. */
#ifndef GUELAB_ROOM_H
#define GUELAB_ROOM_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/*
 * bpf_skb_adjust_room() behind the MAC header; gso_size counts the inner payload on either side of the tunnel, so it stays.
 * The kernel resizes GSO packets of TCP and UDP_L4 only. Of another type, or of none as BPF_PROG_TEST_RUN makes them, the
 * packet goes on as one, for the device to judge.
 */
static __always_inline int adjust_room(struct __sk_buff *skb, __s32 len, __u64 flags)
{
	flags |= BPF_F_ADJ_ROOM_FIXED_GSO;
	if (!bpf_skb_adjust_room(skb, len, BPF_ADJ_ROOM_MAC, flags))
		return 0;
	/* Setting the length to what it is resets GSO. */
	if (!skb->gso_size || bpf_skb_change_tail(skb, skb->len, 0))
		return -1;
	return bpf_skb_adjust_room(skb, len, BPF_ADJ_ROOM_MAC, flags);
}

#endif
