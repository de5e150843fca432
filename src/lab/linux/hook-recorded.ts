/** A data path that records what it does: the reference, as record.bpf.c has the programs. */
import type { DataPath, HookResult, Verdict } from "../../dataplane/datapath.ts";
import type { Skb } from "../../dataplane/skb.ts";
import { type HookFrame, type HookSink, monotonicNs } from "./hook-record.ts";

export class RecordedPath implements DataPath {
  private readonly nic: string;
  private readonly inner: DataPath;
  private readonly sink: HookSink;

  constructor(nic: string, inner: DataPath, sink: HookSink) {
    this.nic = nic;
    this.inner = inner;
    this.sink = sink;
  }

  get last(): HookResult {
    return this.inner.last;
  }

  ingress(skb: Skb): Verdict {
    return this.run("ingress", skb);
  }

  egress(skb: Skb): Verdict {
    return this.run("egress", skb);
  }

  private run(hook: "ingress" | "egress", skb: Skb): Verdict {
    const startNs = monotonicNs();
    const before = frameOf(skb);
    const verdict = this.inner[hook](skb);
    const { nic } = this;
    const after = frameOf(skb);
    this.sink.hook({ startNs, endNs: monotonicNs(), nic, hook, before, after, verdict, result: { ...this.last } });
    return verdict;
  }
}

const frameOf = (skb: Skb): HookFrame => ({
  frame: skb.frame(),
  ifindex: skb.ifindex,
  mark: skb.mark,
  gsoSize: skb.gsoSize,
  vlan: skb.vlan,
});
