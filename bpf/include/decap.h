/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What arrives on a tunnel endpoint: GUE pings are consumed, data packets verified and decapsulated. */
#ifndef GUELAB_DECAP_H
#define GUELAB_DECAP_H

#include "fib.h"
#include "gue.h"
#include "parse.h"
#include "room.h"
#include "session.h"
#include "stats.h"

/* What gue_path() needs of the inner packet after the tunnel header has gone. */
struct inner {
	struct endpoint src;
	struct endpoint dst;
	__u8 proto;
	__u8 tracked;	/* not a fragment, TCP or UDP with a complete L4 header */
};

/* An endpoint as one word, so that TUNNEL.remote changes at once. */
typedef __u64 __attribute__((may_alias)) endpoint_word;

/* A GUE ping: the tunnel's remote endpoint is where the ping came from. */
static __always_inline int gue_control(struct __sk_buff *skb, struct hook *h, const struct packet *p,
				       const struct gue_hdr *gue)
{
	__u32 hlen = GUE_HLEN(gue);
	struct u32_value tunnel_id;
	struct verify_entry *verify;
	struct service_id id = gue->id;
	struct endpoint remote = endpoint(p->saddr, p->sport, IPPROTO_UDP);
	struct tunnel *tunnel;

	if (hlen != GUE_HLEN_DATA && hlen != GUE_HLEN_PING)
		return DROP_CTRL_HLEN;
	if (gue->proto != GUE_CTYPE_PING)
		return DROP_CTRL_TYPE;
	if (gue->flags != bpf_htons(GUE_FLAGS))
		return DROP_CTRL_FLAGS;
	verify = bpf_map_lookup_elem(&VERIFY, &id);
	if (!verify)
		return DROP_NO_SERVICE;
	note_entry(h, verify->tunnel, id);
	if (!gue_key_equal(gue, verify->key))
		return DROP_WRONG_KEY;
	if (hlen == GUE_HLEN_PING) {
		struct cursor c = cursor_at(skb, l4_off(p) + UDP_HLEN + sizeof(struct gue_hdr));
		__be32 *wire = take(&c, sizeof(*wire));

		if (!wire)
			return DROP_HELPER;
		tunnel_id.value = bpf_ntohl(*wire);
	} else {
		tunnel_id.value = (__u32)bpf_ntohs(id.group) << 16 | bpf_ntohs(id.service);
	}
	if (tunnel_id.value != verify->tunnel)
		return DROP_PING_TUNNEL;
	tunnel = bpf_map_lookup_elem(&TUNNEL, &tunnel_id);
	if (!tunnel)
		return DROP_PING_NO_TUNNEL;
	*(volatile endpoint_word *)&tunnel->remote = *(endpoint_word *)&remote;
	return PING_CONSUMED;
}

/* Checks the inner IPv4 header at off, with room bytes in the datagram; GO_ON, or the reason to drop. */
static __always_inline int parse_inner(struct __sk_buff *skb, __u32 off, __u32 room, struct inner *in)
{
	struct cursor c = cursor_at(skb, off);
	struct iphdr *ip;
	__u32 ihl, totlen, need;

	if (room < sizeof(struct iphdr))
		return DROP_INNER_SHORT;
	ip = take(&c, sizeof(struct iphdr));
	if (!ip)
		return DROP_HELPER;
	if (ip->version != 4)
		return DROP_INNER_VERSION;
	if (ip->ihl < 5)
		return DROP_INNER_IHL;
	ihl = ip->ihl * 4;
	totlen = bpf_ntohs(ip->tot_len);
	if (totlen < ihl || totlen > room)
		return DROP_INNER_TOTLEN;
	in->proto = ip->protocol;
	in->src = endpoint(ip->saddr, 0, in->proto);
	in->dst = endpoint(ip->daddr, 0, in->proto);
	in->tracked = 0;
	if (ip->frag_off & bpf_htons(IP_MF | IP_OFFSET))
		return GO_ON;
	if (in->proto == IPPROTO_TCP)
		need = TCP_HLEN;
	else if (in->proto == IPPROTO_UDP)
		need = UDP_HLEN;
	else
		return GO_ON;
	if (totlen < ihl + need)
		return GO_ON;
	c = cursor_at(skb, off + ihl);
	/* Both begin with the two ports. */
	struct udphdr *ports = take(&c, UDP_HLEN);

	if (!ports)
		return DROP_HELPER;
	in->src.port = ports->source;
	in->dst.port = ports->dest;
	in->tracked = 1;
	return GO_ON;
}

static __always_inline int gue_data(struct __sk_buff *skb, struct hook *h, const struct packet *p,
				    const struct gue_hdr *gue, __u32 payload)
{
	__u32 gue_off = l4_off(p) + UDP_HLEN;
	struct service_id id = gue->id;
	struct verify_entry *verify;
	struct inner in;
	int ret;

	if (GUE_HLEN(gue) != GUE_HLEN_DATA)
		return DROP_DATA_HLEN;
	if (gue->proto != GUE_PROTO_IPV4)
		return DROP_DATA_PROTO;
	if (gue->flags != bpf_htons(GUE_FLAGS))
		return DROP_DATA_FLAGS;
	verify = bpf_map_lookup_elem(&VERIFY, &id);
	if (!verify)
		return DROP_NO_SERVICE;
	note_entry(h, verify->tunnel, id);
	if (!gue_key_equal(gue, verify->key))
		return DROP_WRONG_KEY;
	ret = parse_inner(skb, gue_off + sizeof(struct gue_hdr), payload - sizeof(struct gue_hdr), &in);
	if (ret != GO_ON)
		return ret;

	/* Packet pointers are stale from here on. */
	if (adjust_room(skb, -(__s32)(p->ihl + UDP_HLEN + sizeof(struct gue_hdr)), 0))
		return DROP_HELPER;

	if (!(h->tx & TX_PROXY)) {
		struct session_key key = { .client = in.src, .backend = in.dst };

		if (in.tracked)
			learn_session(&key, verify->tunnel, id, verify);
		else
			count_reason(SESSION_UNTRACKED);
	}

	if (h->rx & RX_FWD) {
		int out = set_macs_by_fib(skb, h, &in.src, &in.dst, in.proto);

		if (out < 0)
			return DROP_HELPER;
		if (out > 0) {
			h->redirect = out;
			return REDIRECT_DECAP;
		}
	}
	return PASS_DECAP;
}

/* Handles a packet to a DECAP endpoint and returns the reason; GO_ON when it is not one. */
static __always_inline int gue_path(struct __sk_buff *skb, struct hook *h, const struct packet *p)
{
	struct endpoint dst = endpoint(p->daddr, p->dport, p->proto);
	__u32 payload = p->udp_len - UDP_HLEN;
	struct cursor c = cursor_at(skb, l4_off(p) + UDP_HLEN);
	struct gue_hdr *gue = c.pos;
	__u32 hlen;

	if (p->proto != IPPROTO_UDP || !bpf_map_lookup_elem(&DECAP, &dst))
		return GO_ON;
	if (payload < GUE_BASE_HLEN)
		return DROP_GUE_SHORT;
	if (!take(&c, GUE_BASE_HLEN))
		return DROP_HELPER;
	if (GUE_VERSION(gue) != 0)
		return DROP_GUE_VERSION;
	hlen = GUE_HLEN(gue);
	if (payload < GUE_BASE_HLEN + hlen * 4)
		return DROP_GUE_SHORT;
	/* Only headers of five words or more hold what is read from here on. */
	if (hlen < GUE_HLEN_DATA)
		return GUE_CONTROL(gue) ? DROP_CTRL_HLEN : hlen == GUE_HLEN_PLAIN ? PASS_GUE_PLAIN : DROP_DATA_HLEN;
	if (!take(&c, sizeof(*gue) - GUE_BASE_HLEN))
		return DROP_HELPER;
	return GUE_CONTROL(gue) ? gue_control(skb, h, p, gue) : gue_data(skb, h, p, gue, payload);
}

#endif
