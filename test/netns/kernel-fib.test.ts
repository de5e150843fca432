/**
 * The reference's FIB lookup on a namespace's own routes and neighbours, beside bpf_fib_lookup itself: the same packet through
 * the program and through the reference, while addresses, routes, neighbours and settings change.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { KernelFibHelper } from "../../src/dataplane/fib-helper.ts";
import { Reference } from "../../src/dataplane/reference.ts";
import { skbFrom } from "../../src/dataplane/skb.ts";
import { fillTables, parseVector, type Vector } from "../../src/dataplane/vector.ts";
import { run } from "../../src/ebpf/exec.ts";
import { openTestDataPath, type TestDataPath } from "../../src/ebpf/testrun.ts";
import { writeSysctl } from "../../src/lab/linux/inside.ts";
import { KernelFib } from "../../src/lab/linux/kernel-fib.ts";
import { Namespace } from "../../src/lab/linux/sys.ts";
import { createTables } from "../../src/tables/tables.ts";
import { buildPacket } from "../../src/wire/build.ts";
import { toHex } from "../../src/wire/bytes.ts";
import { describeNetns } from "./require.ts";

const [ETH1, ETH2] = [7, 8];
const REMOTES = [
  "172.1.0.4",
  "172.1.0.255",
  "172.1.0.3",
  "172.2.0.9",
  "9.9.9.9",
  "20.0.0.1",
  "20.1.0.1",
  "20.2.0.1",
  "127.0.0.9",
];
const SUCCESS = 0;

function vectorFor(remote: string, payload: number): Vector {
  const frame = buildPacket({
    ip: { src: "172.1.0.2", dst: "1.1.1.1" },
    tcp: { sport: 33000, dport: 4000 },
    payload: new Uint8Array(payload),
  });
  return parseVector(
    JSON.stringify({
      name: "to a remote end",
      tables: {
        config: { [ETH1]: { rx: 3, tx: 1, mtu: 0 } },
        tunnel: { "65636": { local: "172.1.0.3:5000", remote: `${remote}:6000` } },
        encap: { "tcp 1.1.1.1:4000": { tunnel: 65636, group: 1, service: 100, key: "00".repeat(16) } },
      },
      packets: [{ hook: "egress", ifindex: ETH1, in: toHex(frame) }],
    }),
  );
}

describeNetns("FIB lookup by the kernel's own tables", () => {
  let target: TestDataPath;
  let ns: Namespace;
  let kernel: KernelFib;

  beforeAll(() => {
    // The thread is in a namespace of its own until it is closed.
    target = openTestDataPath();
    ns = new Namespace("own", "/proc/thread-self/ns/net");
    kernel = new KernelFib(ns);
  });
  afterAll(() => {
    kernel.close();
    ns.close();
    target.close();
  });

  const ip = (...lines: string[]): string => run("ERR_IP", "ip", ["-batch", "-"], `${lines.join("\n")}\n`);

  /** What both say of one remote end: the lookup's result, and the frame. */
  function both(remote: string, payload: number) {
    const vector = vectorFor(remote, payload);
    const answers = [true, false].map((real) => {
      const twins = createTables();
      const tables = real ? target.tables : twins;
      for (const store of Object.values(tables)) store.clear();
      fillTables(tables, vector);
      kernel.refresh();
      const path = real ? target.dataPath : new Reference(twins, new KernelFibHelper(kernel));
      const skb = skbFrom(vector.packets[0].frame, ETH1);
      const verdict = path.egress(skb);
      return { remote, payload, verdict, ...path.last, frame: toHex(skb.frame()) };
    });
    return { real: answers[0], ours: answers[1] };
  }

  /** Every remote end, small and large; gives the kernel's results by remote end. */
  function same(): Record<string, number> {
    const results: Record<string, number> = {};
    for (const remote of REMOTES)
      for (const payload of [100, 1400]) {
        const { real, ours } = both(remote, payload);
        expect(ours).toEqual(real);
        results[`${remote} ${payload}`] = real.fib;
      }
    return results;
  }

  it("agrees with the kernel before there is any route, and as everything changes", () => {
    ip(`link add eth1 index ${ETH1} type bridge`, `link add eth2 index ${ETH2} type bridge`);
    for (const r of Object.values(same())) expect(r).not.toBe(SUCCESS);

    ip(
      "link set lo up",
      "link set eth1 address 02:00:00:00:00:07 mtu 1400 up",
      "link set eth2 address 02:00:00:00:00:08 up",
      "address add 172.1.0.3/24 brd + dev eth1",
      "address add 172.2.0.3/24 brd + dev eth2",
      "route add 9.9.9.0/24 via 172.1.0.4",
      "route add blackhole 20.0.0.0/16",
      "route add unreachable 20.1.0.0/16",
      "route add prohibit 20.2.0.0/16",
      "neigh replace 172.1.0.4 lladdr 02:00:00:00:00:44 dev eth1",
      "neigh replace 172.2.0.9 lladdr 02:00:00:00:00:99 dev eth2",
    );
    const first = same();
    expect(first).toMatchObject({ "172.1.0.4 100": SUCCESS, "172.1.0.4 1400": 8, "172.2.0.9 1400": SUCCESS });
    expect(first).toMatchObject({ "9.9.9.9 100": SUCCESS, "20.0.0.1 100": 1, "20.1.0.1 100": 2, "20.2.0.1 100": 3 });
    expect(first).toMatchObject({ "172.1.0.3 100": 4, "172.1.0.255 100": 4, "127.0.0.9 100": 4 });

    ip("neigh del 172.1.0.4 dev eth1");
    expect(same()).toMatchObject({ "172.1.0.4 100": 7, "9.9.9.9 100": 7 });

    ip("neigh replace 172.1.0.4 lladdr 02:00:00:00:00:45 nud stale dev eth1", "link set eth1 mtu 1600");
    expect(same()).toMatchObject({ "172.1.0.4 100": SUCCESS, "172.1.0.4 1400": SUCCESS });

    ip("route add 9.9.9.9/32 via 172.2.0.9 metric 50", "route add default via 172.2.0.9");
    same();

    writeSysctl("net.ipv4.conf.eth1.forwarding", "0");
    expect(same()["172.1.0.4 100"]).toBe(5);
    writeSysctl("net.ipv4.ip_forward", "0");
    writeSysctl("net.ipv4.ip_forward", "1");
    expect(same()["172.1.0.4 100"]).toBe(SUCCESS);

    // The routes that go with it are told by nobody.
    ip("link set eth2 down");
    expect(same()["172.2.0.9 100"]).not.toBe(SUCCESS);
    ip("link del eth2");
    same();
  });
});
