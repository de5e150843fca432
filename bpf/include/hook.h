/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What one run of a hook knows and decides. */
#ifndef GUELAB_HOOK_H
#define GUELAB_HOOK_H

#include "../gen/tables.h"

/* A program of tc; record.bpf.c, which calls it, has it as a function. */
#ifndef PROGRAM
#define PROGRAM SEC("tc")
#endif

/* fib of struct hook: no lookup was made. */
#define FIB_NONE (-1)

struct hook {
	__u32 hook;		/* HOOK_INGRESS or HOOK_EGRESS */
	__u32 len_in;		/* skb length at entry */
	__u32 rx, tx, mtu;	/* CONFIG of the interface */
	__u32 has_entry;	/* tunnel and id below are set */
	__u32 tunnel;
	struct service_id id;
	__u32 redirect;		/* interface of a redirect */
	__u64 redirect_flags;	/* 0 or BPF_F_INGRESS */
	__s32 fib;		/* result of bpf_fib_lookup */
	struct event *event;	/* reserved record of the dump flag, or NULL */
};

/* Notes the entry that decides, for events and for cb[]. */
static __always_inline void note_entry(struct hook *h, __u32 tunnel, struct service_id id)
{
	h->has_entry = 1;
	h->tunnel = tunnel;
	h->id = id;
}

#endif
