/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Into the tunnel: outer IPv4, UDP and GUE data header in front of the packet, MAC addresses of the next hop. */
#ifndef GUELAB_ENCAP_H
#define GUELAB_ENCAP_H

#include <stddef.h>
#include "fib.h"
#include "gue.h"
#include "mss.h"
#include "mtu.h"
#include "room.h"

#define OUTER_TTL 64

struct outer {
	struct iphdr ip;
	struct udphdr udp;
	struct gue_hdr gue;
};
_Static_assert(sizeof(struct outer) == TUNNEL_OVERHEAD, "outer");
_Static_assert(offsetof(struct session_entry, tunnel) == offsetof(struct encap_entry, tunnel), "tunnel");
_Static_assert(offsetof(struct session_entry, id) == offsetof(struct encap_entry, id), "id");
_Static_assert(offsetof(struct session_entry, key) == offsetof(struct encap_entry, key), "key");

static __always_inline void write_outer(struct outer *o, const struct packet *p, const struct tunnel *tunnel,
					const struct encap_entry *entry)
{
	const __u32 *key = (const __u32 *)entry->key;

	o->ip.version = 4;
	o->ip.ihl = 5;
	o->ip.tot_len = bpf_htons(p->totlen + TUNNEL_OVERHEAD);
	/* The inner ID and fragment word: what the sender decided about fragmentation holds on the way, too. */
	o->ip.id = p->id;
	o->ip.frag_off = p->frag_off;
	o->ip.ttl = OUTER_TTL;
	o->ip.protocol = IPPROTO_UDP;
	o->ip.saddr = tunnel->local.ip;
	o->ip.daddr = tunnel->remote.ip;
	o->ip.check = csum_fold(bpf_csum_diff(NULL, 0, (__be32 *)&o->ip, sizeof(o->ip), 0));
	o->udp.source = tunnel->local.port;
	o->udp.dest = tunnel->remote.port;
	o->udp.len = bpf_htons(p->totlen + TUNNEL_OVERHEAD - sizeof(struct iphdr));
	o->gue.vch = GUE_HLEN_DATA;
	o->gue.proto = GUE_PROTO_IPV4;
	o->gue.flags = bpf_htons(GUE_FLAGS);
	o->gue.id = entry->id;
	o->gue.key[0] = key[0];
	o->gue.key[1] = key[1];
	o->gue.key[2] = key[2];
	o->gue.key[3] = key[3];
}

/*
 * Sends the packet into the tunnel of an entry: of ENCAP, or of SESSION, whose values start alike. A function of its own, so
 * that the two ways here share its instructions.
 */
static __noinline int encapsulate(struct __sk_buff *skb, struct hook *h, const struct packet *p,
				  const struct encap_entry *entry)
{
	struct u32_value slot = { .value = entry->tunnel };
	struct tunnel *tunnel;
	struct outer outer = {};
	struct endpoint local, remote;
	int out;

	note_entry(h, entry->tunnel, entry->id);
	tunnel = bpf_map_lookup_elem(&TUNNEL, &slot);
	if (!tunnel)
		return DROP_NO_TUNNEL;
	if (tunnel->remote.ip == 0)
		return DROP_UNRESOLVED;
	if (exceeds_mtu(skb, h, p))
		return make_frag_needed(skb, h, p);
	if (clamp_mss(skb, h, p))
		return DROP_HELPER;

	local = tunnel->local;
	remote = tunnel->remote;
	write_outer(&outer, p, tunnel, entry);
	if (adjust_room(skb, sizeof(outer), BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L4_UDP) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN, &outer, sizeof(outer), 0))
		return DROP_HELPER;

	out = set_macs_by_fib(skb, h, &local, &remote, IPPROTO_UDP);
	if (out < 0)
		return DROP_HELPER;
	if (out > 0 && (h->tx & TX_FWD) && (__u32)out != skb->ifindex) {
		h->redirect = out;
		return REDIRECT_ENCAP;
	}
	return PASS_ENCAP;
}

#endif
