/** The source of the data path, the reference's and the C programs': the files that checks lead to, bundled as text. */
/// <reference types="vite/types/importMeta.d.ts" />

const bundled: Record<string, string> = import.meta.glob(
  [
    "../../src/dataplane/{reference,parse,ingress,decap,session,egress,encap,mtu,mss,nexthop}.ts",
    "../../bpf/{ingress,egress}.bpf.c",
    "../../bpf/include/{verdict,parse,decap,gue,session,encap,mtu,mss,fib}.h",
  ],
  { query: "?raw", import: "default", eager: true },
);

/** By path from the project's root. */
export const sources: ReadonlyMap<string, string> = new Map(
  Object.entries(bundled).map(([path, text]) => [path.replace(/^(\.\.\/)+/, ""), text]),
);
