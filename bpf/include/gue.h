/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * GUE (draft-ietf-intarea-gue section 3) with group identifier and 128-bit security field
 * (draft-ietf-intarea-gue-extensions).
 *
 *   |ver|C|  Hlen   | proto / ctype |             flags             |
 *   |            group id           |          service id           |
 *   |                  security field, 16 bytes ...                 |
 *   |             tunnel id (control packets, Hlen 6)               |
 */
#ifndef GUELAB_GUE_H
#define GUELAB_GUE_H

#include "../gen/tables.h"

#define GUE_BASE_HLEN 4
#define GUE_HLEN_PLAIN 0
#define GUE_HLEN_DATA 5
#define GUE_HLEN_PING 6
#define GUE_PROTO_IPV4 4
#define GUE_CTYPE_PING 1
#define GUE_FLAGS 0xa000

struct gue_hdr {
	__u8 vch;	/* version (2 bits), C, Hlen in words (5 bits) */
	__u8 proto;	/* of control packets: the control type */
	__be16 flags;
	struct service_id id;
	__u32 key[4];
};
_Static_assert(sizeof(struct gue_hdr) == 24, "gue_hdr");

#define GUE_VERSION(gue) ((gue)->vch >> 6)
#define GUE_CONTROL(gue) ((gue)->vch & 0x20)
#define GUE_HLEN(gue) ((gue)->vch & 0x1f)

/* True when the security field is the service's key. */
static __always_inline int gue_key_equal(const struct gue_hdr *gue, const __u8 *key)
{
	const __u32 *want = (const __u32 *)key;

	return gue->key[0] == want[0] && gue->key[1] == want[1] && gue->key[2] == want[2] && gue->key[3] == want[3];
}

#endif
