/** `guelab bpf log`: the events of the dump flag as the trace of a simulated lab prints them, from a real interface. */
import { closeSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { fillTables, parseVector } from "../../src/dataplane/vector.ts";
import { objGet } from "../../src/ebpf/bpf.ts";
import { EVENT_DATA_LEN, EVENTS_NAME, EVENTS_SIZE, event, HOOK_EGRESS, HOOK_INGRESS } from "../../src/ebpf/event.ts";
import { mapsDir } from "../../src/ebpf/load.ts";
import { RingReader } from "../../src/ebpf/ringbuf.ts";
import { REASON, TC_ACT_SHOT, TC_ACT_UNSPEC } from "../../src/tables/reasons.ts";
import { buildPacket, type PacketSpec } from "../../src/wire/build.ts";
import { Cli } from "./cli.ts";
import { describeKernel } from "./require.ts";
import { NIC, VethRig } from "./rig.ts";

const KEY = "000102030405060708090a0b0c0d0e0f";
const BACKEND = "tcp 1.1.1.1:4000";
const TABLES = {
  config: { "7": { rx: "gue+dump", tx: "proxy+dump", mtu: 1500 } },
  tunnel: { "65636": { local: "172.1.0.3:5000", remote: "172.1.0.4:6000" } },
  decap: { "172.1.0.3:5000": 65636 },
  encap: { [BACKEND]: { tunnel: 65636, group: 1, service: 100, key: KEY } },
  verify: { "1/100": { key: KEY, tunnel: 65636, proxy: "tcp 5.5.5.5:3100", backend: BACKEND } },
};
const request: PacketSpec = { ip: { src: "172.1.0.2", dst: "1.1.1.1" }, tcp: { sport: 33000, dport: 4000, flags: 2 } };
const ping = (key: number): PacketSpec => ({
  ip: { src: "172.1.0.4", dst: "172.1.0.3" },
  udp: { sport: 6000, dport: 5000, checksum: false },
  gue: { group: 1, service: 100, key: Uint8Array.from({ length: 16 }, (_, i) => i + key), tunnelId: 65_636 },
});

describeKernel("the event log", () => {
  let rig: VethRig;
  let cli: Cli;
  beforeAll(async () => {
    cli = await Cli.build();
    rig = new VethRig();
  });
  afterAll(() => {
    rig?.close();
    cli?.close();
  });
  beforeEach(() => fill(TABLES));

  function fill(tables: object): void {
    for (const store of Object.values(rig.tables)) store.clear();
    fillTables(rig.tables, parseVector(JSON.stringify({ tables, packets: [] })));
  }
  const log = (...args: string[]): string[] => {
    const r = cli.run("bpf", "log", "--instance", rig.instance.name, ...args);
    expect(r.stderr).toBe("");
    return r.stdout.split("\n").slice(0, -1);
  };
  function withRing<T>(fn: (ring: RingReader) => T): T {
    const fd = objGet(`${mapsDir(rig.instance)}/${EVENTS_NAME}`);
    const ring = new RingReader(fd);
    closeSync(fd);
    try {
      return fn(ring);
    } finally {
      ring.close();
    }
  }
  const events = () =>
    withRing((ring) => {
      const out: ReturnType<typeof event.decode>[] = [];
      ring.read((record) => out.push(event.decode(record)));
      return out;
    });

  it("prints what came, what the hook decided, and why", () => {
    rig.pass("egress", buildPacket(request));
    rig.pass("ingress", buildPacket(ping(0)));
    rig.pass("ingress", buildPacket(ping(1)));
    const lines = log("--once");
    expect(lines.map((l) => l.replace(/^ *\d+\.\d{6} /, ""))).toEqual([
      "n7         out 172.1.0.3:5000 > 172.1.0.4:6000 GUE 1/100 [172.1.0.2:33000 > 1.1.1.1:4000 TCP SYN seq=1 len=0]  egress: pass PASS_ENCAP (encapsulated) ENCAP -> tunnel 65636 group 1 service 100, +52 bytes",
      "n7         in  172.1.0.4:6000 > 172.1.0.3:5000 GUE ping 1/100 tunnel 65636  ingress: drop PING_CONSUMED (GUE ping consumed, the tunnel's remote endpoint is set) TUNNEL -> tunnel 65636 group 1 service 100",
      "n7         in  172.1.0.4:6000 > 172.1.0.3:5000 GUE ping 1/100 tunnel 65636  ingress: drop DROP_WRONG_KEY (the security field is not the service's key) VERIFY -> tunnel 65636 group 1 service 100",
    ]);
    expect(log("--once")).toEqual([]);
  });

  it("waits for events until there are as many as asked for", async () => {
    const child = cli.start("bpf", "log", "--instance", rig.instance.name, "--count", "3");
    const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
    for (let i = 0; i < 5; i++) rig.pass("egress", buildPacket(request));
    expect(await exit).toBe(0);
    expect(events()).toHaveLength(2);
  });

  it("gives lengths, verdict and the packet's first bytes", () => {
    const frame = buildPacket({ ...request, payload: new Uint8Array(300).fill(7) });
    const sent = rig.pass("egress", frame).out[0].frame;
    rig.pass("ingress", frame);
    rig.pass("ingress", buildPacket(ping(1)));
    const [out, came, dropped, ...more] = events();
    expect(more).toEqual([]);
    expect(out).toMatchObject({ ifindex: NIC, hook: HOOK_EGRESS, reason: REASON.PASS_ENCAP, tunnel: 65_636 });
    expect(out).toMatchObject({ len_in: frame.length, len_out: frame.length + 52, caplen: EVENT_DATA_LEN });
    expect(out.verdict | 0).toBe(TC_ACT_UNSPEC);
    expect(out.data).toEqual(sent.slice(0, EVENT_DATA_LEN));
    expect(came).toMatchObject({ hook: HOOK_INGRESS, reason: REASON.PASS_NO_MATCH, len_in: frame.length });
    expect(came.data).toEqual(frame.slice(0, EVENT_DATA_LEN));
    expect(dropped).toMatchObject({ reason: REASON.DROP_WRONG_KEY, verdict: TC_ACT_SHOT });
    expect(dropped.time).toBeGreaterThan(out.time);
  });

  it("says nothing of a hook whose flag is not set, and follows the flag at run time", () => {
    fill({ ...TABLES, config: { "7": { rx: "gue", tx: "proxy", mtu: 1500 } } });
    rig.pass("egress", buildPacket(request));
    rig.pass("ingress", buildPacket(ping(0)));
    expect(events()).toEqual([]);
    fill({ ...TABLES, config: { "7": { rx: "gue", tx: "proxy+dump", mtu: 1500 } } });
    rig.pass("ingress", buildPacket(ping(0)));
    rig.pass("egress", buildPacket(request));
    expect(events().map((e) => e.hook)).toEqual([HOOK_EGRESS]);
  });

  it("reads on where the ring begins anew, and loses events, never packets, when it is full", () => {
    const room = Math.floor(EVENTS_SIZE / (event.size + 8));
    const short = buildPacket(request);
    let seen = 0;
    withRing((ring) => {
      for (let i = 0; i < room + 500; i++) {
        rig.sendOut(short);
        if (i % 64 === 63) seen += ring.read((record) => expect(event.decode(record).len_in).toBe(short.length));
      }
      seen += ring.read(() => {});
    });
    expect(seen).toBe(room + 500);
    for (let i = 0; i < room + 500; i++) rig.sendOut(short);
    expect(events().length).toBe(room);
    expect(rig.pass("egress", short).reasons).toEqual(["PASS_ENCAP"]);
  });
});
