// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A hook's program within one that records: what went in, then the program itself, as a function of the same instructions,
 * then what came out. It is built once for each hook (-DRECORD_EGRESS) and stands there in place of the plain program: a filter
 * behind that one would not see what it drops or redirects, and not every kernel lets one program trace another.
 *
 * A record is a struct hook_record and the whole frame. Where the ring is full, the loss is counted and the packet goes on.
 */
#define PROGRAM __attribute__((noinline))

#ifdef RECORD_EGRESS
#define guelab_egress deployed
#include "egress.bpf.c"
#undef guelab_egress
#define RECORDER guelab_egress
#define RECORDED_HOOK HOOK_EGRESS
#else
#define guelab_ingress deployed
#include "ingress.bpf.c"
#undef guelab_ingress
#define RECORDER guelab_ingress
#define RECORDED_HOOK HOOK_INGRESS
#endif


/* Records are of few lengths, since the verifier must know what is reserved: most frames are small or of an MTU of 1,500. */
#define SMALL 192
#define MEDIUM 1792
#define LARGE 16384
#define HUGE 67584

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RECORDS_SIZE);
} RECORDS SEC(".maps");

/* Records that did not fit the ring. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct u64_value);
	__uint(max_entries, 1);
} RECORDS_LOST SEC(".maps");

static __always_inline void count_lost(void)
{
	__u32 zero = 0;
	struct u64_value *lost = bpf_map_lookup_elem(&RECORDS_LOST, &zero);

	if (lost)
		__sync_fetch_and_add(&lost->value, 1);
}

static __always_inline void fill_record(struct __sk_buff *skb, struct hook_record *r, __u32 side, int verdict)
{
	r->time = bpf_ktime_get_ns();
	r->hook = RECORDED_HOOK;
	r->side = side;
	r->cpu = bpf_get_smp_processor_id();
	r->verdict = verdict;
	r->ifindex = skb->ifindex;
	r->len = skb->len;
	r->caplen = 0;
	r->mark = skb->mark;
	r->gso_size = skb->gso_size;
	r->vlan = skb->vlan_present ? RECORD_VLAN | skb->vlan_tci : 0;
	r->cb0 = skb->cb[0];
	r->cb1 = skb->cb[1];
	r->cb2 = skb->cb[2];
	r->cb3 = skb->cb[3];
	r->cb4 = skb->cb[4];
}

/* Writes a record with room for size bytes of the frame. */
#define WRITE_RECORD(skb, side, verdict, size)                                                      \
	do {                                                                                        \
		struct {                                                                            \
			struct hook_record r;                                                       \
			__u8 frame[size];                                                           \
		} *record = bpf_ringbuf_reserve(&RECORDS, sizeof(struct hook_record) + (size), 0);  \
		__u64 len = (skb)->len;                                                             \
                                                                                                    \
		if (!record) {                                                                      \
			count_lost();                                                               \
			break;                                                                      \
		}                                                                                   \
		fill_record(skb, &record->r, side, verdict);                                        \
		asm volatile("" : "+r"(len));                                                       \
		if (len - 1 < (size) && !bpf_skb_load_bytes(skb, 0, record->frame, len))            \
			record->r.caplen = len;                                                     \
		bpf_ringbuf_submit(record, 0);                                                      \
	} while (0)

static __noinline int write_record(struct __sk_buff *skb, __u32 side, int verdict)
{
	if (skb->len <= SMALL)
		WRITE_RECORD(skb, side, verdict, SMALL);
	else if (skb->len <= MEDIUM)
		WRITE_RECORD(skb, side, verdict, MEDIUM);
	else if (skb->len <= LARGE)
		WRITE_RECORD(skb, side, verdict, LARGE);
	else
		WRITE_RECORD(skb, side, verdict, HUGE);
	return 0;
}

SEC("tc")
int RECORDER(struct __sk_buff *skb)
{
	int verdict;

	write_record(skb, RECORD_BEFORE, TC_ACT_UNSPEC);
	verdict = deployed(skb);
	write_record(skb, RECORD_AFTER, verdict);
	return verdict;
}
