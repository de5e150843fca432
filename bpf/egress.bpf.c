// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Egress hook. A proxy sends what goes to a backend into its tunnel and translates what comes from one; a node sends
 * replies back the way their requests came.
 */
#include "gen/tables.h"
#include "include/encap.h"
#include "include/nat.h"
#include "include/session.h"
#include "include/verdict.h"

/* On a proxy: into the tunnel by the backend's endpoint, or back to the proxy endpoint by SNAT. */
static __always_inline int proxy_path(struct __sk_buff *skb, struct hook *h, const struct packet *p)
{
	struct endpoint src = endpoint(p->saddr, p->sport, p->proto);
	struct endpoint dst = endpoint(p->daddr, p->dport, p->proto);
	struct encap_entry *encap = bpf_map_lookup_elem(&ENCAP, &dst);
	struct endpoint *to;

	if (encap)
		return encapsulate(skb, h, p, encap);
	if (!(h->tx & TX_SNAT))
		return PASS_NO_MATCH;
	to = bpf_map_lookup_elem(&SNAT, &src);
	if (!to)
		return PASS_NO_MATCH;
	if (no_translation(to))
		return PASS_NO_TRANSLATION;
	return nat_source(skb, p, to) ? DROP_HELPER : PASS_SNAT;
}

/* On a node: the reply goes back by its session, through the tunnel or (DSO) directly as the proxy endpoint. */
static __always_inline int node_path(struct __sk_buff *skb, struct hook *h, const struct packet *p)
{
	struct session_entry *session = find_session(p);

	if (!session)
		return PASS_NO_MATCH;
	if (!(h->tx & TX_SNAT))
		return encapsulate(skb, h, p, (const struct encap_entry *)session);
	note_entry(h, session->tunnel, session->id);
	if (no_translation(&session->proxy))
		return PASS_NO_TRANSLATION;
	if (clamp_mss(skb, h, p))
		return DROP_HELPER;
	return nat_source(skb, p, &session->proxy) ? DROP_HELPER : PASS_DSO;
}

/* Runs the packet through the hook's steps, the first match wins; returns the reason. */
static __always_inline int tc_egress(struct __sk_buff *skb, struct hook *h)
{
	struct packet p = {};
	int reason = parse_packet(skb, &p);

	if (reason != GO_ON)
		return reason;
	return h->tx & TX_PROXY ? proxy_path(skb, h, &p) : node_path(skb, h, &p);
}

PROGRAM
int guelab_egress(struct __sk_buff *skb)
{
	struct hook h = { .hook = HOOK_EGRESS };

	return finish(skb, &h, enter(skb, &h) ? tc_egress(skb, &h) : PASS_NO_CONFIG);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
