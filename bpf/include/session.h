/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Sessions of a node: learned from decapsulated packets, used by the replies. Time is EPOCH, which the sweep counts. */
#ifndef GUELAB_SESSION_H
#define GUELAB_SESSION_H

#include <stddef.h>
#include "parse.h"
#include "stats.h"

static __always_inline __u32 current_epoch(void)
{
	struct u32_value slot = {};
	struct u32_value *epoch = bpf_map_lookup_elem(&EPOCH, &slot);

	return epoch ? epoch->value : 0;
}

/* Words of a session_entry in front of its epoch: tunnel, id, key, proxy. */
#define SESSION_WORDS (offsetof(struct session_entry, epoch) / 4)

static __always_inline int session_equal(const struct session_entry *a, const struct session_entry *b)
{
	const __u32 *x = (const __u32 *)a, *y = (const __u32 *)b;
	__u32 diff = 0;

	for (__u32 i = 0; i < SESSION_WORDS; i++)
		diff |= x[i] ^ y[i];
	return diff == 0;
}

/*
 * SESSION[client, backend] = the way that the request came. A session that is there already only gets its epoch: an update
 * of an LRU hash takes a free element first, and may evict another session for it.
 */
static __always_inline void learn_session(const struct session_key *key, __u32 tunnel, struct service_id id,
					  const struct verify_entry *verify)
{
	struct session_entry new = {
		.tunnel = tunnel,
		.id = id,
		.proxy = verify->proxy,
		.epoch = current_epoch(),
	};
	struct session_entry *old = bpf_map_lookup_elem(&SESSION, key);

	__builtin_memcpy(new.key, verify->key, sizeof(new.key));
	if (old && session_equal(old, &new))
		old->epoch = new.epoch;
	else if (bpf_map_update_elem(&SESSION, key, &new, BPF_ANY))
		return;
	count_reason(SESSION_LEARNED);
}

/* The session of a packet that leaves a node, refreshed; NULL when there is none. */
static __always_inline struct session_entry *find_session(const struct packet *p)
{
	struct session_key key = {
		.client = endpoint(p->daddr, p->dport, p->proto),
		.backend = endpoint(p->saddr, p->sport, p->proto),
	};
	struct session_entry *s = bpf_map_lookup_elem(&SESSION, &key);

	if (s)
		s->epoch = current_epoch();
	return s;
}

#endif
