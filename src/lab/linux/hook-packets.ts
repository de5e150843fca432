/**
 * Frames at hooks as packets of a capture. A capture shows ingress in front of the hook and egress behind it; here is the other side
 * of each, on interfaces of their own: `egw/eth1:ingress:after`, `egw/eth1:egress:before`.
 */
import type { PacketRecord } from "../../scenario/lab.ts";
import { TC_ACT_SHOT } from "../../tables/reasons.ts";
import { wr16 } from "../../wire/bytes.ts";
import { ETH_P_8021Q } from "../../wire/ethernet.ts";
import { MACS, VLAN_HLEN } from "./capture.ts";
import type { HookFrame, HookRecord } from "./hook-record.ts";

/** What ingress hooks left of packets, and what egress hooks were given; a dropped packet left nothing. */
export function hookPackets(hooks: readonly HookRecord[]): PacketRecord[] {
  return hooks.flatMap((run): PacketRecord[] => {
    const { host, nic, hook, timeNs } = run;
    if (hook === "egress")
      return [{ timeNs, host, nic: `${nic}:egress:before`, direction: "out", frame: tagged(run.before) }];
    if (run.verdict === TC_ACT_SHOT) return [];
    return [{ timeNs, host, nic: `${nic}:ingress:after`, direction: "in", frame: tagged(run.after) }];
  });
}

/** With packets of a capture, in the order of time. */
export const withHookPackets = (
  packets: readonly PacketRecord[],
  hooks: readonly HookRecord[],
): readonly PacketRecord[] => [...packets, ...hookPackets(hooks)].sort((a, b) => a.timeNs - b.timeNs);

/** The frame with its VLAN tag, which the kernel keeps beside it. */
function tagged({ frame, vlan }: HookFrame): Uint8Array {
  if (vlan === 0) return frame;
  const out = new Uint8Array(frame.length + VLAN_HLEN);
  out.set(frame.subarray(0, MACS));
  wr16(out, MACS, ETH_P_8021Q);
  wr16(out, MACS + 2, vlan & 0xffff);
  out.set(frame.subarray(MACS), MACS + VLAN_HLEN);
  return out;
}
