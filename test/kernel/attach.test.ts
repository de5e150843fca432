/** Attaching and detaching: again and again, beside other filters, by several instances, and what is refused. */
import { existsSync } from "node:fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Attachment, attach, detach, detachAll, listAttachments } from "../../src/ebpf/attach.ts";
import { clsactNics, FILTER_PREF } from "../../src/ebpf/filters.ts";
import { inspectInstance, parseSizes, requireSizes } from "../../src/ebpf/instance.ts";
import { type Instance, instanceTables, isLoaded, loadInstance, unloadInstance } from "../../src/ebpf/load.ts";
import { closeTables } from "../../src/ebpf/maps.ts";
import type { NetNs } from "../../src/ebpf/nsenter.ts";
import { LabError } from "../../src/errors.ts";
import { RX_DNAT, RX_FWD, RX_GUE, TABLES, TX_PROXY, TX_SNAT } from "../../src/tables/schema.ts";
import { typed } from "../../src/tables/typed.ts";
import { buildPacket } from "../../src/wire/build.ts";
import { ifindexOf, ip, TestNet, tc, veth } from "./net.ts";
import { describeKernel } from "./require.ts";
import { PacketSocket } from "./sockets.ts";

function refusal(fn: () => unknown): string {
  try {
    fn();
  } catch (err) {
    if (err instanceof LabError) return err.code;
    throw err;
  }
  return "not refused";
}

describeKernel("attaching", () => {
  let net: TestNet;
  let host: NetNs;
  let far: NetNs;
  let one: Instance;
  beforeEach(() => {
    net = new TestNet();
    host = net.namespace("h");
    far = net.namespace("f");
    veth({ ns: host, nic: "n0" }, { ns: far, nic: "f0" });
    veth({ ns: host, nic: "n1" }, { ns: far, nic: "f1" });
    one = net.load("one");
  });
  afterEach(() => net.close());

  const filters = (nic: string, hook: string): string => tc(host, `filter show dev ${nic} ${hook}`);
  const configs = (instance: Instance) => {
    const tables = instanceTables(instance);
    try {
      return new Map(
        typed(TABLES.CONFIG, tables.CONFIG)
          .entries()
          .map(([k, v]) => [k.value, v]),
      );
    } finally {
      closeTables(tables);
    }
  };
  const of = (instance: Instance): Attachment[] => listAttachments().filter((at) => at.instance === instance.name);
  /** Sends frames from the far end; gives what an instance has counted for the NIC since. */
  function countAfter(instance: Instance, nic: string, farNic: string, frames: number): number {
    const sender = new PacketSocket(far.path, ifindexOf(far, farNic));
    const frame = buildPacket({ ip: { src: "10.0.0.1", dst: "10.0.0.2" }, udp: { sport: 1, dport: 2 } });
    for (let i = 0; i < frames; i++) sender.send(frame);
    sender.close();
    const tables = instanceTables(instance);
    try {
      return typed(TABLES.STATS, tables.STATS).get({ value: ifindexOf(host, nic) })?.rx_packets ?? 0;
    } finally {
      closeTables(tables);
    }
  }

  it("puts both programs and CONFIG there, once, however often it is asked", () => {
    const first = attach(one, { nic: "n0", netns: host.name, rx: RX_GUE | RX_DNAT, tx: TX_PROXY });
    expect(Object.keys(first.hooks)).toEqual(["ingress", "egress"]);
    const shown = [filters("n0", "ingress"), filters("n0", "egress")];
    for (const text of shown) expect(text.match(/direct-action/g)).toHaveLength(1);
    const again = attach(one, { nic: "n0", netns: host.name });
    expect(again.hooks).toEqual(first.hooks);
    expect([filters("n0", "ingress"), filters("n0", "egress")]).toEqual(shown);
    // Flags that are not given stay.
    const config = { rx: RX_GUE | RX_DNAT, tx: TX_PROXY, mtu: 1500 };
    expect(configs(one)).toEqual(new Map([[first.ifindex, config]]));
    ip(host, "link set n0 mtu 1400");
    attach(one, { nic: "n0", netns: host.name, tx: 0 });
    expect(configs(one).get(first.ifindex)).toEqual({ ...config, tx: 0, mtu: 1400 });
    expect(of(one)).toHaveLength(1);
  });

  it("leaves nothing behind when it is detached, and detaches twice", () => {
    const at = attach(one, { nic: "n0", netns: host.name });
    expect(countAfter(one, "n0", "f0", 3)).toBe(3);
    detach(at);
    detach(at);
    expect(clsactNics(host)).toEqual(new Set());
    expect(configs(one).size).toBe(0);
    expect(of(one)).toEqual([]);
    expect(countAfter(one, "n0", "f0", 3)).toBe(0);
    expect(isLoaded(one)).toBe(true);
  });

  it("keeps others' filters and their qdisc", () => {
    tc(host, "qdisc add dev n0 clsact");
    tc(host, "filter add dev n0 ingress pref 5 protocol ip u32 match u32 0 0");
    tc(host, `filter add dev n0 egress pref ${FILTER_PREF + 1} protocol ip u32 match u32 0 0`);
    const before = [filters("n0", "ingress"), filters("n0", "egress")];
    const at = attach(one, { nic: "n0", netns: host.name });
    expect(filters("n0", "ingress")).toContain(before[0]);
    expect(countAfter(one, "n0", "f0", 2)).toBe(2);
    detach(at);
    expect([filters("n0", "ingress"), filters("n0", "egress")]).toEqual(before);
    expect(clsactNics(host)).toEqual(new Set(["n0"]));
  });

  it("leaves its own qdisc to those who came to use it", () => {
    const at = attach(one, { nic: "n0", netns: host.name });
    tc(host, "filter add dev n0 ingress pref 5 protocol ip u32 match u32 0 0");
    detach(at);
    expect(clsactNics(host)).toEqual(new Set(["n0"]));
    expect(filters("n0", "ingress")).toContain("u32");
    expect(of(one)).toEqual([]);
  });

  it("removes no qdisc that was there before, also when it attached twice", () => {
    tc(host, "qdisc add dev n0 clsact");
    attach(one, { nic: "n0", netns: host.name });
    detachAll(one.name);
    expect(clsactNics(host)).toEqual(new Set(["n0"]));
    const two = net.load("two");
    attach(two, { nic: "n1", netns: host.name });
    attach(two, { nic: "n1", netns: host.name });
    detachAll(two.name);
    expect(clsactNics(host)).toEqual(new Set(["n0"]));
  });

  it("keeps two instances apart", () => {
    const two = net.load("two");
    attach(one, { nic: "n0", netns: host.name, rx: RX_GUE });
    attach(two, { nic: "n1", netns: host.name, rx: RX_DNAT });
    expect(countAfter(one, "n0", "f0", 4)).toBe(4);
    expect(countAfter(two, "n1", "f1", 5)).toBe(5);
    expect(countAfter(one, "n1", "f1", 1)).toBe(0);
    detachAll(one.name);
    expect(existsSync(one.dir)).toBe(false);
    expect(of(two)).toMatchObject([{ nic: "n1", instance: two.name }]);
    expect(countAfter(two, "n1", "f1", 1)).toBe(7);
    expect(configs(two).get(ifindexOf(host, "n1"))?.rx).toBe(RX_DNAT);
  });

  it("refuses what would mix up hosts or take another's place", () => {
    const two = net.load("two");
    attach(one, { nic: "n0", netns: host.name });
    expect(refusal(() => attach(two, { nic: "n0", netns: host.name }))).toBe("ERR_NIC_TAKEN");
    expect(refusal(() => attach(one, { nic: "f1", netns: far.name }))).toBe("ERR_INSTANCE_NETNS");
    expect(refusal(() => attach(one, { nic: "n9", netns: host.name }))).toBe("ERR_NIC_UNKNOWN");
    expect(refusal(() => attach(one, { nic: "n0", netns: `${host.name}x` }))).toBe("ERR_NETNS");
    const fwd = { nic: "n1", netns: host.name, rx: RX_GUE | RX_FWD, tx: TX_PROXY };
    expect(refusal(() => attach(one, fwd))).toBe("ERR_FLAGS");
    expect(refusal(() => attach({ ...one, name: "x", dir: `${one.dir}x` }, { nic: "n0" }))).toBe("ERR_NOT_LOADED");
    tc(host, "qdisc add dev n1 ingress");
    expect(refusal(() => attach(two, { nic: "n1", netns: host.name }))).toBe("ERR_TC_QDISC");
    tc(host, "qdisc del dev n1 ingress");
    tc(host, "qdisc add dev n1 clsact");
    tc(host, `filter add dev n1 ingress pref ${FILTER_PREF} protocol all u32 match u32 0 0`);
    expect(refusal(() => attach(two, { nic: "n1", netns: host.name }))).toBe("ERR_FILTER_TAKEN");
    detachAll(two.name);
    expect(filters("n1", "ingress")).toContain("u32");
    expect(attach(one, { ...fwd, rx: fwd.rx | RX_DNAT, tx: fwd.tx | TX_SNAT, nic: "n0" }).nic).toBe("n0");
  });

  it("finds and removes filters whose pins are gone", () => {
    attach(one, { nic: "n0", netns: host.name });
    // As `rm -r` of the instance's directory would.
    const at = listAttachments().find((a) => a.instance === one.name) as Attachment;
    detachAll(`${one.name}-other`);
    expect(of(one)).toHaveLength(1);
    const { hooks } = at;
    unloadInstance(one);
    const orphan = listAttachments().filter((a) => a.ns?.inode === host.inode);
    expect(orphan).toMatchObject([{ nic: "n0", hooks, instance: undefined }]);
    detach(orphan[0]);
    expect(filters("n0", "ingress") + filters("n0", "egress")).toBe("");
  });

  it("forgets interfaces and namespaces that are gone", () => {
    attach(one, { nic: "n0", netns: host.name });
    ip(host, "link del n0");
    expect(of(one).map((at) => [at.nic, at.ns, at.hooks])).toEqual([["n0", undefined, {}]]);
    for (const at of of(one)) detach(at);
    expect(of(one)).toEqual([]);
    expect(configs(one).size).toBe(0);
  });

  it("loads once, in the sizes that were asked for", () => {
    const sized = net.load("sized", { sizes: parseSizes("SESSION=1000,tunnel=16") });
    const { programs, sizes, whole } = inspectInstance(sized);
    expect(whole).toBe(true);
    expect(sizes).toMatchObject({ SESSION: 1000, TUNNEL: 16, DECAP: 65_536 });
    const again = inspectInstance(loadInstance(sized.name));
    expect(again.programs).toEqual(programs);
    requireSizes(sized, { SESSION: 1000 });
    expect(refusal(() => requireSizes(sized, { SESSION: 1001 }))).toBe("ERR_SIZES");
    for (const text of ["SESSION", "SESSION=0", "NOPE=1", "EPOCH=2", "SESSION=1 TUNNEL=2"])
      expect(
        refusal(() => parseSizes(text)),
        text,
      ).toBe("ERR_SIZES");
  });
});
