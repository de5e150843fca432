import { describe, expect, it } from "vitest";
import { ControlPlane, type PfcAdd } from "../../src/control/control.ts";
import type { ControlHost } from "../../src/control/host.ts";
import { sweep } from "../../src/control/sweep.ts";
import { LabError } from "../../src/errors.ts";
import { TABLES, type TableName } from "../../src/tables/schema.ts";
import { createTables } from "../../src/tables/tables.ts";
import { typed } from "../../src/tables/typed.ts";
import { toHex } from "../../src/wire/bytes.ts";
import { parseIpv4 } from "../../src/wire/ipv4.ts";

const ip = (text: string): number => parseIpv4(text) as number;
const key = new TextEncoder().encode("5erv1ceP@55w0rd!");

function setup(sizes: Partial<Record<TableName, number>> = {}) {
  const log: string[] = [];
  const timers: { ns: number; fn: () => void; stopped: boolean }[] = [];
  const host: ControlHost = {
    name: "egw",
    nic: (name) => {
      const i = ["eth1", "eth2"].indexOf(name);
      return i < 0 ? undefined : { name, ifindex: 7 + i, addr: ip("172.1.0.3") + i, mtu: 1500 };
    },
    nicNames: () => ["eth1", "eth2"],
    attach: (nic) => log.push(`attach ${nic}`),
    detach: (nic) => log.push(`detach ${nic}`),
    sendUdp: (_saddr, sport, _daddr, dport, payload) => log.push(`udp ${sport} ${dport} ${toHex(payload)}`),
    every: (ns, fn) => {
      const timer = { ns, fn, stopped: false };
      timers.push(timer);
      return () => {
        timer.stopped = true;
      };
    },
  };
  const tables = createTables(sizes);
  return { log, timers, tables, control: new ControlPlane(host, tables) };
}

const proxyStart = { nic: "eth1", name: "egw", rx: 11, tx: 11, portMin: 5000, portMax: 5002 };
const service = (n: number, over: Partial<PfcAdd> = {}): PfcAdd => ({
  nic: "eth1",
  group: 1,
  service: n,
  key,
  remoteIp: 0,
  remotePort: 0,
  proxy: { ip: ip("5.5.5.5"), port: 3000 + n, proto: 6 },
  backend: { ip: ip("2.2.2.2"), port: 4000 + n, proto: 6 },
  ...over,
});
const code = (fn: () => unknown): string => {
  try {
    fn();
  } catch (err) {
    if (err instanceof LabError) return err.code;
    throw err;
  }
  return "no error";
};
const snapshot = (tables: ReturnType<typeof createTables>): string =>
  JSON.stringify(Object.values(tables).map((t) => t.entries().map(([k, v]) => [toHex(k), toHex(v)])));

describe("pfc_add on a proxy", () => {
  it("writes tunnel, decap, verify, encap and both translations", () => {
    const { control, tables } = setup();
    control.start(proxyStart);
    expect(control.add(service(200))).toBe(5000);
    const tunnel = 65736;
    const local = { ip: ip("172.1.0.3"), port: 5000, proto: 17, pad: 0 };
    expect(typed(TABLES.TUNNEL, tables.TUNNEL).get({ value: tunnel })).toEqual({
      local,
      remote: { ip: 0, port: 0, proto: 17, pad: 0 },
    });
    expect(typed(TABLES.DECAP, tables.DECAP).get(local)).toEqual({ value: tunnel });
    const backend = { ip: ip("2.2.2.2"), port: 4200, proto: 6, pad: 0 };
    const proxy = { ip: ip("5.5.5.5"), port: 3200, proto: 6, pad: 0 };
    expect(typed(TABLES.VERIFY, tables.VERIFY).get({ group: 1, service: 200 })).toEqual({
      key,
      tunnel,
      proxy,
      backend,
    });
    expect(typed(TABLES.ENCAP, tables.ENCAP).get(backend)).toEqual({ tunnel, id: { group: 1, service: 200 }, key });
    expect(typed(TABLES.DNAT, tables.DNAT).get(proxy)).toEqual(backend);
    expect(typed(TABLES.SNAT, tables.SNAT).get(backend)).toEqual(proxy);
    expect(typed(TABLES.CONFIG, tables.CONFIG).get({ value: 7 })).toEqual({ rx: 11, tx: 11, mtu: 1500 });
  });

  it("is undone by pfc_delete, sessions and port included", () => {
    const { control, tables } = setup();
    control.start(proxyStart);
    const before = snapshot(tables);
    control.add(service(200));
    typed(TABLES.SESSION, tables.SESSION).set(
      { client: { ip: 1, port: 2, proto: 6, pad: 0 }, backend: { ip: 3, port: 4, proto: 6, pad: 0 } },
      { tunnel: 65736, id: { group: 1, service: 200 }, key, proxy: { ip: 0, port: 0, proto: 0, pad: 0 }, epoch: 0 },
    );
    control.delete(1, 200);
    expect(snapshot(tables)).toBe(before);
    expect(control.pool.list()).toEqual([5001, 5002, 5000]);
  });

  it.each([
    [
      "the same id",
      service(200, { proxy: { ip: 9, port: 9, proto: 6 }, backend: { ip: 8, port: 8, proto: 6 } }),
      "ERR_SERVICE_IN_USE",
    ],
    ["the same proxy endpoint", { ...service(201), proxy: service(200).proxy }, "ERR_ENDPOINT_IN_USE"],
    ["the same backend endpoint", { ...service(201), backend: service(200).backend }, "ERR_ENDPOINT_IN_USE"],
    ["an unknown nic", service(201, { nic: "eth9" }), "ERR_NOT_STARTED"],
    ["-p without a remote", service(201, { ping: true }), "ERR_REMOTE"],
    ["half a remote", service(201, { remotePort: 5 }), "ERR_REMOTE"],
  ])("refuses %s and changes nothing", (_what, request, expected) => {
    const { control, tables } = setup();
    control.start(proxyStart);
    control.add(service(200));
    const before = snapshot(tables);
    expect(code(() => control.add(request))).toBe(expected);
    expect(snapshot(tables)).toBe(before);
    expect(control.pool.list()).toEqual([5001, 5002]);
  });

  it("leaves nothing behind when a table is full", () => {
    const { control, tables } = setup({ DECAP: 1 });
    control.start(proxyStart);
    control.add(service(200));
    const before = snapshot(tables);
    expect(code(() => control.add(service(201)))).toBe("ERR_TABLE_FULL");
    expect(snapshot(tables)).toBe(before);
    expect(control.pool.allocated()).toEqual([5000]);
  });
});

describe("pfc_add on a node", () => {
  it("writes no translation and lets two services share a backend", () => {
    const { control, tables } = setup();
    control.start({ ...proxyStart, rx: 9, tx: 8 });
    control.add(service(200));
    control.add({ ...service(201), backend: service(200).backend });
    expect(tables.ENCAP.size + tables.DNAT.size + tables.SNAT.size).toBe(0);
    expect(tables.VERIFY.size).toBe(2);
  });

  it("pings at once, then on every tick of its own nic, from the tunnel's port", () => {
    const { control, log, timers } = setup();
    control.start({ ...proxyStart, rx: 9, tx: 8, pingNs: 7e9 });
    control.add(service(200, { remoteIp: ip("172.1.0.9"), remotePort: 6000 }));
    const ping = `udp 5000 6000 2601a000000100c8${toHex(key)}000100c8`;
    expect(log).toEqual(["attach eth1", ping]);
    const pings = timers.find((t) => t.ns === 7e9);
    pings?.fn();
    expect(log).toEqual(["attach eth1", ping, ping]);
    control.stop("eth1");
    expect(timers.every((t) => t.stopped)).toBe(true);
  });
});

describe("pfc_start and pfc_stop", () => {
  it("refuses a second start on the nic, an unknown nic, fwd without dnat on a proxy, another port range", () => {
    const { control } = setup();
    expect(code(() => control.start({ ...proxyStart, nic: "eth7" }))).toBe("ERR_NIC_UNKNOWN");
    expect(code(() => control.start({ ...proxyStart, rx: 13, tx: 9 }))).toBe("ERR_FLAGS");
    expect(control.pool.ready).toBe(false);
    control.start(proxyStart);
    expect(code(() => control.start(proxyStart))).toBe("ERR_ALREADY_STARTED");
    expect(code(() => control.start({ ...proxyStart, nic: "eth2", portMin: 1, portMax: 2 }))).toBe(
      "ERR_PORT_POOL_IN_USE",
    );
    control.start({ ...proxyStart, nic: "eth2" });
  });

  it("changes flags while it runs, under the same rules", () => {
    const { control, tables } = setup();
    expect(code(() => control.setFlags("eth1", 1, 1))).toBe("ERR_NOT_STARTED");
    control.start(proxyStart);
    control.setFlags("eth1", 3, 3);
    expect(typed(TABLES.CONFIG, tables.CONFIG).get({ value: 7 })).toEqual({ rx: 3, tx: 3, mtu: 1500 });
    expect(code(() => control.setFlags("eth1", 5, 1))).toBe("ERR_FLAGS");
    expect(typed(TABLES.CONFIG, tables.CONFIG).get({ value: 7 })).toEqual({ rx: 3, tx: 3, mtu: 1500 });
  });

  it("clears tables and pool with the last nic only", () => {
    const { control, tables, log } = setup();
    control.start(proxyStart);
    control.start({ ...proxyStart, nic: "eth2" });
    control.add(service(200));
    control.add(service(201, { nic: "eth2" }));
    control.stop("eth2");
    expect(tables.VERIFY.size).toBe(1);
    expect(control.pool.allocated()).toEqual([5000]);
    control.stop("eth1");
    expect(tables.VERIFY.size + tables.CONFIG.size + tables.TUNNEL.size).toBe(0);
    expect(control.pool.ready).toBe(false);
    expect(log).toEqual(["attach eth1", "attach eth2", "detach eth2", "detach eth1"]);
    expect(code(() => control.stop("eth1"))).toBe("ERR_NOT_STARTED");
  });

  it("refuses to free a port that a tunnel holds", () => {
    const { control } = setup();
    control.start(proxyStart);
    control.add(service(200));
    expect(code(() => control.freePort(5000))).toBe("ERR_PORT_IN_USE");
    expect(code(() => control.delete(1, 999))).toBe("ERR_SERVICE_UNKNOWN");
  });
});

describe("sweep", () => {
  it("deletes a session N epochs after it was last seen", () => {
    const tables = createTables();
    const sessions = typed(TABLES.SESSION, tables.SESSION);
    const at = (port: number, epoch: number) =>
      sessions.set(
        { client: { ip: 1, port, proto: 6, pad: 0 }, backend: { ip: 3, port: 4, proto: 6, pad: 0 } },
        { tunnel: 1, id: { group: 1, service: 1 }, key, proxy: { ip: 0, port: 0, proto: 0, pad: 0 }, epoch },
      );
    at(1, 0);
    at(2, 1);
    expect(sweep(tables, 2)).toBe(0); // EPOCH 1
    expect(sweep(tables, 2)).toBe(1); // EPOCH 2: 2 - 0 >= 2
    expect(sessions.entries().map(([k]) => k.client.port)).toEqual([2]);
    expect(sweep(tables, 2)).toBe(1);
  });
});
