// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Ingress hook: decapsulation of what arrives through a tunnel, destination translation of what arrives for a proxy. */
#include "gen/tables.h"
#include "include/decap.h"
#include "include/nat.h"
#include "include/verdict.h"

/* Proxy endpoint -> backend endpoint. */
static __always_inline int dnat_path(struct __sk_buff *skb, const struct packet *p)
{
	struct endpoint dst = endpoint(p->daddr, p->dport, p->proto);
	struct endpoint *to = bpf_map_lookup_elem(&DNAT, &dst);

	if (!to)
		return PASS_NO_MATCH;
	if (no_translation(to))
		return PASS_NO_TRANSLATION;
	return nat_dest(skb, p, to) ? DROP_HELPER : PASS_DNAT;
}

/* Runs the packet through the hook's steps, the first match wins; returns the reason. */
static __always_inline int tc_ingress(struct __sk_buff *skb, struct hook *h)
{
	struct packet p = {};
	int reason = parse_packet(skb, &p);

	if (reason != GO_ON)
		return reason;
	if (h->rx & RX_GUE) {
		reason = gue_path(skb, h, &p);
		if (reason != GO_ON)
			return reason;
	}
	return h->rx & RX_DNAT ? dnat_path(skb, &p) : PASS_NO_MATCH;
}

PROGRAM
int guelab_ingress(struct __sk_buff *skb)
{
	struct hook h = { .hook = HOOK_INGRESS };

	return finish(skb, &h, enter(skb, &h) ? tc_ingress(skb, &h) : PASS_NO_CONFIG);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
