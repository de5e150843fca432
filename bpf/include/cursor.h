/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Bounds-checked reading of the linear part of a packet. */
#ifndef GUELAB_CURSOR_H
#define GUELAB_CURSOR_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct cursor {
	void *pos;
	void *end;
};

/* A cursor off bytes into the packet. Stale after any helper that may move packet data. */
static __always_inline struct cursor cursor_at(struct __sk_buff *skb, __u32 off)
{
	struct cursor c = {
		.pos = (void *)(long)skb->data + off,
		.end = (void *)(long)skb->data_end,
	};

	return c;
}

/* Steps over len bytes; NULL when the packet is truncated. */
static __always_inline void *take(struct cursor *c, __u32 len)
{
	void *hdr = c->pos;

	if (hdr + len > c->end)
		return NULL;
	c->pos = hdr + len;
	return hdr;
}

#endif
