/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Into the tunnel: outer IPv4, UDP and GUE data header in front of the packet, MAC addresses of the next hop. */
#ifndef GUELAB_ENCAP_H
#define GUELAB_ENCAP_H

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

static __always_inline void write_outer(struct outer *o, const struct packet *p, const struct tunnel *tunnel,
					 struct service_id id, const __u8 *key)
{
	const __u32 *key_words = (const __u32 *)key;

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
	o->gue.id = id;
	o->gue.key[0] = key_words[0];
	o->gue.key[1] = key_words[1];
	o->gue.key[2] = key_words[2];
	o->gue.key[3] = key_words[3];
}

static __always_inline int encapsulate(struct __sk_buff *skb, struct hook *h, const struct packet *p,
				       __u32 tunnel_id, struct service_id id, const __u8 *key)
{
	struct u32_value slot = { .value = tunnel_id };
	struct tunnel *tunnel;
	struct outer outer = {};
	struct endpoint local, remote;
	int out;

	note_entry(h, tunnel_id, id);
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
	write_outer(&outer, p, tunnel, id, key);
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
