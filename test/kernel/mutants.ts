/** Faults for the C programs: each a plausible slip, as one replacement of text that must occur exactly once. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BPF_DIR } from "../../src/ebpf/build.ts";

export interface Mutant {
  name: string;
  file: string;
  from: string;
  to: string;
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: "wrong byte order of the outer UDP length",
    file: "include/encap.h",
    from: "o->udp.len = bpf_htons(p->totlen + TUNNEL_OVERHEAD - sizeof(struct iphdr));",
    to: "o->udp.len = p->totlen + TUNNEL_OVERHEAD - sizeof(struct iphdr);",
  },
  {
    name: "outer UDP length off by one",
    file: "include/encap.h",
    from: "TUNNEL_OVERHEAD - sizeof(struct iphdr));",
    to: "TUNNEL_OVERHEAD - sizeof(struct iphdr) + 1);",
  },
  {
    name: "a ping may move another service's tunnel",
    file: "include/decap.h",
    from: "if (tunnel_id.value != verify->tunnel)",
    to: "if (0)",
  },
  {
    name: "unresolved tunnel not checked",
    file: "include/encap.h",
    from: "if (tunnel->remote.ip == 0)",
    to: "if (0)",
  },
  {
    name: "fields of the outer packet used after the strip",
    file: "include/decap.h",
    from: ".client = in.src, .backend = in.dst",
    to: ".client = endpoint(p->saddr, p->sport, p->proto), .backend = in.dst",
  },
  {
    name: "outer ID not copied",
    file: "include/encap.h",
    from: "\to->ip.id = p->id;\n",
    to: "",
  },
  {
    name: "fragment word not copied",
    file: "include/encap.h",
    from: "\to->ip.frag_off = p->frag_off;\n",
    to: "",
  },
  {
    name: "UDP checksum of zero treated as any other",
    file: "include/nat.h",
    from: "return p->proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;",
    to: "return p->proto == 0 ? BPF_F_MARK_MANGLED_0 : 0;",
  },
  {
    name: "TCP checksum treated by UDP's rule of zero",
    file: "include/nat.h",
    from: "return p->proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;",
    to: "return p->proto ? BPF_F_MARK_MANGLED_0 : 0;",
  },
  {
    name: "outer checksum folded once",
    file: "include/encap.h",
    from: "o->ip.check = csum_fold(bpf_csum_diff(NULL, 0, (__be32 *)&o->ip, sizeof(o->ip), 0));",
    to: "__u32 sum = 0;\n\tfor (__u32 i = 0; i < 10; i++)\n\t\tsum += ((__u16 *)&o->ip)[i];\n\to->ip.check = ~((sum & 0xffff) + (sum >> 16));",
  },
  {
    name: "first fragment not recognised",
    file: "include/parse.h",
    from: "if (ip->frag_off & bpf_htons(IP_MF | IP_OFFSET))",
    to: "if (ip->frag_off & bpf_htons(IP_OFFSET))",
  },
  {
    name: "IHL ignored when the ports are read",
    file: "include/parse.h",
    from: "c = cursor_at(skb, ETH_HLEN + p->ihl);",
    to: "c = cursor_at(skb, ETH_HLEN + 20);",
  },
  {
    name: "IHL of 4 accepted",
    file: "include/parse.h",
    from: "if (ip->ihl < 5)",
    to: "if (ip->ihl < 4)",
  },
  {
    name: "GUE protocol not checked",
    file: "include/decap.h",
    from: "if (gue->proto != GUE_PROTO_IPV4)",
    to: "if (0)",
  },
  {
    name: "GUE flags of data not checked",
    file: "include/decap.h",
    from: "\tif (gue->flags != bpf_htons(GUE_FLAGS))\n\t\treturn DROP_DATA_FLAGS;\n",
    to: "",
  },
  {
    name: "GUE version not checked",
    file: "include/decap.h",
    from: "if (GUE_VERSION(gue) != 0)",
    to: "if (0)",
  },
  {
    name: "inner version not checked",
    file: "include/decap.h",
    from: "\tif (ip->version != 4)\n\t\treturn DROP_INNER_VERSION;\n",
    to: "",
  },
  {
    name: "inner total length may reach behind the datagram by one",
    file: "include/decap.h",
    from: "totlen > room)",
    to: "totlen > room + 1)",
  },
  {
    name: "session keyed by the client only",
    file: "include/session.h",
    from: ".backend = endpoint(p->saddr, p->sport, p->proto),",
    to: ".backend = endpoint(0, 0, 0),",
  },
  {
    name: "session not refreshed by the reply",
    file: "include/session.h",
    from: "\tif (s)\n\t\ts->epoch = current_epoch();\n",
    to: "",
  },
  {
    name: "NAT without the port",
    file: "include/nat.h",
    from: " ||\n\t    bpf_skb_store_bytes(skb, l4_off(p) + port_off, &port, sizeof(port), 0))",
    to: " || port_off > 2)",
  },
  {
    name: "NAT forgets the pseudo header",
    file: "include/nat.h",
    from: "flags | BPF_F_PSEUDO_HDR | sizeof(ip)) ||",
    to: "flags | sizeof(ip)) == 1 || bpf_l4_csum_replace(skb, check, ip, old_ip, flags | sizeof(ip)) ||",
  },
  {
    name: "key compared to 8 bytes",
    file: "include/gue.h",
    from: " && gue->key[2] == want[2] && gue->key[3] == want[3]",
    to: "",
  },
  {
    name: "MTU off by one",
    file: "include/mtu.h",
    from: "return size + TUNNEL_OVERHEAD > (h->mtu < MTU_MAX ? h->mtu : MTU_MAX);",
    to: "return size + TUNNEL_OVERHEAD >= (h->mtu < MTU_MAX ? h->mtu : MTU_MAX);",
  },
  {
    name: "quoted destination not translated",
    file: "include/mtu.h",
    from: "\tquote_translate(h, p, &quote.ip, &ports);\n",
    to: "\tif (0)\n\t\tquote_translate(h, p, &quote.ip, &ports);\n",
  },
  {
    name: "MSS checksum at an odd offset as at an even one",
    file: "include/mss.h",
    from: "off & 1 ? old : bpf_htons(old), off & 1 ? new : wire",
    to: "bpf_htons(old), wire",
  },
  {
    name: "MSS raised as well as lowered",
    file: "include/mss.h",
    from: "\tif (old <= new)\n\t\treturn 0;\n",
    to: "\tif (old == new)\n\t\treturn 0;\n",
  },
  {
    name: "an L4 header cut by the total length is accepted",
    file: "include/parse.h",
    from: "\t\tif (l4_len < TCP_HLEN)\n\t\t\treturn PASS_L4_SHORT;\n",
    to: "",
  },
  {
    name: "UDP length not checked",
    file: "include/parse.h",
    from: "if (p->udp_len < UDP_HLEN || p->udp_len > l4_len)",
    to: "if (p->udp_len < UDP_HLEN)",
  },
  {
    name: "MAC addresses written although the FIB refused",
    file: "include/fib.h",
    from: "\tif (rc != BPF_FIB_LKUP_RET_SUCCESS)\n\t\treturn 0;\n",
    to: "\tif (rc < 0)\n\t\treturn 0;\n",
  },
];

let number = 0;

/** Sources of the programs with a fault, in a folder of their own below `dir`. */
export function mutantSource(dir: string, mutant: Mutant): string {
  const source = join(dir, `m${number++}`);
  mkdirSync(source);
  cpSync(BPF_DIR, source, { recursive: true });
  const path = join(source, mutant.file);
  const parts = readFileSync(path, "utf8").split(mutant.from);
  if (parts.length !== 2) throw new Error(`${mutant.name}: ${mutant.file} has the text ${parts.length - 1} times`);
  writeFileSync(path, parts.join(mutant.to));
  return source;
}
