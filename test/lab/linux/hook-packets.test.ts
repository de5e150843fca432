/** Frames at hooks beside a capture whose clock is another. */
import { expect, it } from "vitest";
import { hookPackets } from "../../../src/lab/linux/hook-packets.ts";
import type { HookFrame, HookRecord } from "../../../src/lab/linux/hook-record.ts";
import { withHookPackets } from "../../../src/report/capture.ts";
import type { PacketRecord } from "../../../src/scenario/lab.ts";
import { REASON, TC_ACT_SHOT, TC_ACT_UNSPEC } from "../../../src/tables/reasons.ts";
import { FRAMES } from "../../support/frames.ts";

const at = (frame: Uint8Array, vlan = 0): HookFrame => ({ frame, ifindex: 2, mark: 0, gsoSize: 0, vlan });
const result = { reason: REASON.PASS_ENCAP, tunnel: 7, group: 1, service: 2, fib: 0 };
const run = (hook: "ingress" | "egress", timeNs: number, change: Partial<HookRecord> = {}): HookRecord => ({
  ...{ timeNs, startNs: timeNs, endNs: timeNs + 100, host: "egw", nic: "eth1", hook },
  ...{ before: at(FRAMES.syn), after: at(FRAMES.syn), verdict: TC_ACT_UNSPEC },
  result: { ...result, redirectIfindex: 0, redirectIngress: false },
  ...change,
});
const packet = (direction: "in" | "out", timeNs: number, frame = FRAMES.syn): PacketRecord => ({
  ...{ timeNs, host: "egw", nic: "eth1", direction, frame },
});
const names = (packets: readonly PacketRecord[], hooks: readonly HookRecord[]): string[] =>
  withHookPackets(packets, hookPackets(hooks, packets)).map((p) => `${p.nic} ${p.direction}`);

it("puts both sides of a hook in their order, whichever clock is ahead", () => {
  for (const ahead of [-5_000, 0, 5_000]) {
    const packets = [packet("in", 10_000), packet("out", 20_000, FRAMES.gueData)];
    const hooks = [run("ingress", 10_000 + ahead), run("egress", 20_000 + ahead, { after: at(FRAMES.gueData) })];
    expect(names(packets, hooks)).toEqual(["eth1 in", "eth1:ingress:after in", "eth1:egress:before out", "eth1 out"]);
    expect(packets[1].hook).toMatchObject({ hook: "egress", tunnel: 7, lenBefore: FRAMES.syn.length });
  }
});

it("has equal packets one after another, each with its own run", () => {
  const packets = [packet("out", 1_000), packet("out", 2_000), packet("out", 3_000)];
  const found = hookPackets([run("egress", 2_900), run("egress", 3_900)], packets);
  expect(found.map((p) => p.at)).toEqual([0, 1]);
});

it("leaves out what an ingress hook dropped, and has what an egress hook dropped at its time", () => {
  const packets = [packet("in", 1_000), packet("in", 9_000, FRAMES.udp)];
  const shot = { verdict: TC_ACT_SHOT };
  const found = hookPackets([run("ingress", 1_100, shot), run("egress", 5_000, shot)], packets);
  expect(found).toMatchObject([{ nic: "eth1:egress:before", at: 1, timeNs: 5_000, hook: { reason: result.reason } }]);
});

it("gives a frame its VLAN tag back", () => {
  const [found] = hookPackets([run("ingress", 1_000, { after: at(FRAMES.syn, 0x10005) })], []);
  expect([...found.frame.subarray(12, 18)]).toEqual([0x81, 0, 0, 5, 8, 0]);
  expect(found.frame.length).toBe(FRAMES.syn.length + 4);
});
