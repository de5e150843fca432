/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * From a reason to a verdict: every packet that enters a hook counts exactly one reason, whose outcome is the verdict.
 *
 * The filters behind this one find what was decided in skb->cb, as does BPF_PROG_TEST_RUN's caller:
 *   cb[0]  reason + 1
 *   cb[1]  tunnel id of the entry that decided
 *   cb[2]  its group << 16 | service
 *   cb[3]  interface of a redirect
 *   cb[4]  bit 0: redirected to that interface's ingress; bit 1: cb[1] and cb[2] are set;
 *          bits 8-15: result of bpf_fib_lookup + 2, 0 = none made, 1 = the call failed
 */
#ifndef GUELAB_VERDICT_H
#define GUELAB_VERDICT_H

#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include "stats.h"

#define CB_REDIRECT_INGRESS 1
#define CB_HAS_ENTRY 2
#define CB_FIB_SHIFT 8

/* Copies the first bytes of the packet as it is now into the event. */
static __always_inline void event_capture(struct __sk_buff *skb, struct event *event)
{
	__u64 len = skb->len < EVENT_DATA_LEN ? skb->len : EVENT_DATA_LEN;

	event->caplen = 0;
	/* Out of the compiler's sight, which would leave the comparison out that the verifier needs. */
	asm volatile("" : "+r"(len));
	if (len - 1 < EVENT_DATA_LEN && !bpf_skb_load_bytes(skb, 0, event->data, len))
		event->caplen = len;
}

/* With the dump flag: takes room for an event. A full ring loses the event, never the packet. */
static __always_inline void event_begin(struct __sk_buff *skb, struct hook *h)
{
	h->event = bpf_ringbuf_reserve(&EVENTS, sizeof(struct event), 0);
	if (h->event && h->hook == HOOK_INGRESS)
		event_capture(skb, h->event);
}

static __always_inline void event_end(struct __sk_buff *skb, struct hook *h, __u32 reason, int verdict)
{
	struct event *event = h->event;

	if (!event)
		return;
	if (h->hook == HOOK_EGRESS)
		event_capture(skb, event);
	event->time = bpf_ktime_get_ns();
	event->ifindex = skb->ifindex;
	event->hook = h->hook;
	event->reason = reason;
	event->verdict = verdict;
	event->flags = (h->has_entry ? EVENT_HAS_ENTRY : 0) | (h->tx & TX_PROXY ? EVENT_PROXY : 0);
	event->tunnel = h->tunnel;
	event->id = h->id;
	event->len_in = h->len_in;
	event->len_out = skb->len;
	bpf_ringbuf_submit(event, 0);
}

/* Finds the interface's CONFIG and counts the packet in its STATS; 0 without one. */
static __always_inline int enter(struct __sk_buff *skb, struct hook *h)
{
	struct u32_value ifindex = { .value = skb->ifindex };
	struct config *config = bpf_map_lookup_elem(&CONFIG, &ifindex);

	h->len_in = skb->len;
	h->fib = FIB_NONE;
	if (!config)
		return 0;
	h->rx = config->rx;
	h->tx = config->tx;
	h->mtu = config->mtu;
	count_packet(skb, h);
	if (h->hook == HOOK_INGRESS ? h->rx & RX_DUMP : h->tx & TX_DUMP)
		event_begin(skb, h);
	return 1;
}

/* Counts the reason and gives its verdict. */
static __always_inline int finish(struct __sk_buff *skb, struct hook *h, __u32 reason)
{
	__u64 bit = 1ULL << (reason & 63);
	int verdict = TC_ACT_UNSPEC;

	count_reason(reason);
	if (bit & REASON_DROPS)
		verdict = TC_ACT_SHOT;
	else if (bit & REASON_REDIRECTS)
		verdict = bpf_redirect(h->redirect, h->redirect_flags);
	event_end(skb, h, reason, verdict);

	skb->cb[0] = reason + 1;
	skb->cb[1] = h->tunnel;
	skb->cb[2] = (__u32)bpf_ntohs(h->id.group) << 16 | bpf_ntohs(h->id.service);
	skb->cb[3] = h->redirect;
	skb->cb[4] = (h->redirect_flags & BPF_F_INGRESS ? CB_REDIRECT_INGRESS : 0) |
		     (h->has_entry ? CB_HAS_ENTRY : 0) |
		     (__u32)((h->fib == FIB_NONE ? 0 : h->fib < 0 ? 1 : h->fib + 2) & 0xff) << CB_FIB_SHIFT;
	return verdict;
}

#endif
