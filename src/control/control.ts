/**
 * The control plane of one host: what the demo's pfc_* scripts do (SPEC section 6). It writes every table but SESSION
 * and STATS; a command that is refused has changed nothing.
 */
import { LabError } from "../errors.ts";
import { MapError } from "../tables/map.ts";
import { RX_DNAT, RX_FWD, RX_GUE, TABLES, TX_PROXY } from "../tables/schema.ts";
import type { TableStores } from "../tables/tables.ts";
import { typed } from "../tables/typed.ts";
import { GUE_PING_LEN, gueDefaultTunnelId, writeGuePing } from "../wire/gue.ts";
import { formatIpv4, IPPROTO_UDP } from "../wire/ipv4.ts";
import type { ControlHost, ControlNic } from "./host.ts";
import { PortPool } from "./ports.ts";
import { sweep } from "./sweep.ts";

const DEFAULT_SWEEP_NS = 10_000_000_000;
const DEFAULT_SWEEP_COUNT = 6;

/** An IPv4 transport endpoint; host order. */
export interface Endpoint {
  ip: number;
  port: number;
  proto: number;
}

export interface PfcStart {
  nic: string;
  name: string;
  rx: number;
  tx: number;
  portMin: number;
  portMax: number;
  /** Time between GUE pings; undefined or 0 = no pings. */
  pingNs?: number;
  /** Time between sweeps; 0 = sessions do not age. */
  sweepNs?: number;
  /** Sweeps without a packet after which a session is deleted. */
  sweepCount?: number;
}

export interface PfcAdd {
  nic: string;
  group: number;
  service: number;
  key: Uint8Array;
  /** 0.0.0.0:0 = wait for the ping. */
  remoteIp: number;
  remotePort: number;
  proxy: Endpoint;
  backend: Endpoint;
  /** `-p`: send one ping at once. */
  ping?: boolean;
}

interface Instance {
  nic: ControlNic;
  name: string;
  tx: number;
  pingNs: number;
  stopPings: () => void;
}

interface Service {
  nic: string;
  group: number;
  service: number;
  tunnel: number;
  port: number;
  proxy: Endpoint;
  backend: Endpoint;
}

type Ep = { ip: number; port: number; proto: number; pad: number };
const ep = (e: Endpoint): Ep => ({ ip: e.ip, port: e.port, proto: e.proto, pad: 0 });
const sameEp = (a: Endpoint, b: Endpoint): boolean => a.ip === b.ip && a.port === b.port && a.proto === b.proto;
const text = (e: Endpoint): string => `${e.proto === IPPROTO_UDP ? "udp" : "tcp"} ${formatIpv4(e.ip)}:${e.port}`;

export class ControlPlane {
  readonly pool = new PortPool();
  readonly tables: TableStores;
  /** True once pfc_start ran here, also after pfc_stop. */
  started = false;
  private readonly host: ControlHost;
  private readonly instances = new Map<string, Instance>();
  private readonly services: Service[] = [];
  /** A host has one EPOCH: the sweep of the NIC that was started first is the host's. */
  private stopSweep: (() => void) | undefined;
  private readonly t: ReturnType<typeof typedTables>;

  constructor(host: ControlHost, tables: TableStores) {
    this.host = host;
    this.tables = tables;
    this.t = typedTables(tables);
  }

  /** Attaches the data path to a NIC. Throws ERR_NIC_UNKNOWN, ERR_ALREADY_STARTED, ERR_FLAGS, ERR_PORT_*. */
  start(req: PfcStart): void {
    const nic = this.host.nic(req.nic);
    if (!nic)
      throw new LabError("ERR_NIC_UNKNOWN", `${this.host.name} has no interface ${req.nic}`, {
        hint: `Its interfaces are ${this.host.nicNames().join(", ")}.`,
      });
    const running = this.instances.get(req.nic);
    if (running)
      throw new LabError(
        "ERR_ALREADY_STARTED",
        `${req.nic} of ${this.host.name} is started as '${running.name}' already`,
        {
          hint: `Run pfc_stop ${req.nic} first.`,
        },
      );
    checkFlags(req.rx, req.tx);
    if (!this.pool.covers(req.portMin, req.portMax)) this.pool.init(req.portMin, req.portMax);
    this.t.CONFIG.set({ value: nic.ifindex }, { rx: req.rx >>> 0, tx: req.tx >>> 0, mtu: nic.mtu });
    this.host.attach(req.nic);
    this.started = true;
    const pingNs = req.pingNs ?? 0;
    const sweepNs = req.sweepNs ?? DEFAULT_SWEEP_NS;
    const count = req.sweepCount ?? DEFAULT_SWEEP_COUNT;
    const stopPings = pingNs > 0 ? this.host.every(pingNs, () => this.pingNic(req.nic)) : () => {};
    this.instances.set(req.nic, { nic, name: req.name, tx: req.tx, pingNs, stopPings });
    if (sweepNs > 0) this.stopSweep ??= this.host.every(sweepNs, () => sweep(this.tables, count));
  }

  /** Detaches from a NIC; the last one clears tables, pool and daemon. Throws ERR_NOT_STARTED. */
  stop(nicName: string): void {
    const instance = this.instance(nicName);
    instance.stopPings();
    this.host.detach(nicName);
    this.t.CONFIG.delete({ value: instance.nic.ifindex });
    this.instances.delete(nicName);
    for (const s of this.services.filter((s) => s.nic === nicName)) this.remove(s.group, s.service);
    if (this.instances.size > 0) return;
    this.stopSweep?.();
    this.stopSweep = undefined;
    for (const store of Object.values(this.tables)) store.clear();
    this.services.length = 0;
    this.pool.clear();
  }

  /** Sets up one service's tunnel and forwarding; returns the tunnel's local port. */
  add(req: PfcAdd): number {
    const instance = this.instance(req.nic);
    const isProxy = (instance.tx & TX_PROXY) !== 0;
    const sid = { group: req.group, service: req.service };
    if (this.t.VERIFY.get(sid))
      throw new LabError(
        "ERR_SERVICE_IN_USE",
        `group ${req.group} service ${req.service} is in use on ${this.host.name}`,
        {
          hint: `Choose another id, or run pfc_delete ${req.group} ${req.service} first.`,
        },
      );
    // Not through the table, which would be decoded as a whole for each of a thousand services (1 s in all).
    for (const other of this.services) {
      const clash = sameEp(other.proxy, req.proxy)
        ? "proxy"
        : isProxy && sameEp(other.backend, req.backend)
          ? "backend"
          : "";
      if (clash)
        throw new LabError(
          "ERR_ENDPOINT_IN_USE",
          `${clash} endpoint ${text(clash === "proxy" ? req.proxy : req.backend)} is in use by service ${other.group}/${other.service} on ${this.host.name}`,
          { hint: "Endpoints must differ between services." },
        );
    }
    if (req.remoteIp === 0 ? req.remotePort !== 0 : req.remotePort === 0)
      throw new LabError(
        "ERR_REMOTE",
        "the remote endpoint must be an address and a port, or 0 0 to wait for the ping",
      );
    if (req.ping && req.remoteIp === 0)
      throw new LabError("ERR_REMOTE", "-p sends a GUE ping and needs a remote endpoint, not 0 0");

    const tunnel = gueDefaultTunnelId(req.group, req.service);
    const port = this.pool.alloc();
    const local = { ip: instance.nic.addr, port, proto: IPPROTO_UDP };
    this.services.push({ nic: req.nic, ...sid, tunnel, port, proxy: req.proxy, backend: req.backend });
    try {
      const remote = { ip: req.remoteIp, port: req.remotePort, proto: IPPROTO_UDP };
      this.t.TUNNEL.set({ value: tunnel }, { local: ep(local), remote: ep(remote) });
      this.t.VERIFY.set(sid, { key: req.key, tunnel, proxy: ep(req.proxy), backend: ep(req.backend) });
      if (isProxy) {
        this.t.ENCAP.set(ep(req.backend), { tunnel, id: sid, key: req.key });
        this.t.SNAT.set(ep(req.backend), ep(req.proxy));
        this.t.DNAT.set(ep(req.proxy), ep(req.backend));
      }
      // Last: from here on packets to the tunnel's endpoint are ours.
      this.t.DECAP.set(ep(local), { value: tunnel });
    } catch (err) {
      this.remove(req.group, req.service);
      if (!(err instanceof MapError)) throw err;
      throw new LabError("ERR_TABLE_FULL", `no room in a table of ${this.host.name} (${err.message})`, { cause: err });
    }
    if (req.ping || instance.pingNs > 0) this.ping(tunnel);
    return port;
  }

  /** Removes a service, its sessions and its tunnel. Throws ERR_SERVICE_UNKNOWN. */
  delete(group: number, service: number): void {
    if (!this.services.some((s) => s.group === group && s.service === service))
      throw new LabError("ERR_SERVICE_UNKNOWN", `${this.host.name} has no group ${group} service ${service}`, {
        hint: `Known: ${this.services.map((s) => `${s.group}/${s.service}`).join(", ") || "none"}.`,
      });
    this.remove(group, service);
  }

  /** port_free: refuses a port that a tunnel holds, since the next pfc_add would hand it out twice. */
  freePort(port: number): void {
    const holder = this.services.find((s) => s.port === port);
    if (holder)
      throw new LabError(
        "ERR_PORT_IN_USE",
        `port ${port} is held by the tunnel of service ${holder.group}/${holder.service}`,
        {
          hint: `Run pfc_delete ${holder.group} ${holder.service} to give it back.`,
        },
      );
    this.pool.release(port);
  }

  /** Changes the flags of a NIC that is started, `dump` for instance. Throws ERR_NOT_STARTED, ERR_FLAGS. */
  setFlags(nicName: string, rx: number, tx: number): void {
    const instance = this.instance(nicName);
    checkFlags(rx, tx);
    this.t.CONFIG.set({ value: instance.nic.ifindex }, { rx: rx >>> 0, tx: tx >>> 0, mtu: instance.nic.mtu });
    instance.tx = tx;
  }

  /** Names and NICs of what pfc_start started. */
  list(): { nic: string; name: string; pingNs: number }[] {
    return [...this.instances.values()].map((i) => ({ nic: i.nic.name, name: i.name, pingNs: i.pingNs }));
  }

  private instance(nicName: string): Instance {
    const found = this.instances.get(nicName);
    if (!found)
      throw new LabError("ERR_NOT_STARTED", `True Ingress is not started on ${nicName} of ${this.host.name}`, {
        hint: `Run pfc_start ${nicName} ... first.`,
      });
    return found;
  }

  private remove(group: number, service: number): void {
    const at = this.services.findIndex((s) => s.group === group && s.service === service);
    const { tunnel, port } = this.services[at];
    this.services.splice(at, 1);
    const local = this.t.TUNNEL.get({ value: tunnel })?.local;
    if (local) this.t.DECAP.delete(local);
    const verify = this.t.VERIFY.get({ group, service });
    if (verify) {
      if (this.t.ENCAP.get(verify.backend)?.tunnel === tunnel) {
        this.t.ENCAP.delete(verify.backend);
        this.t.SNAT.delete(verify.backend);
        this.t.DNAT.delete(verify.proxy);
      }
      this.t.VERIFY.delete({ group, service });
    }
    for (const [key, session] of this.t.SESSION.entries())
      if (session.id.group === group && session.id.service === service) this.t.SESSION.delete(key);
    this.t.TUNNEL.delete({ value: tunnel });
    this.pool.release(port);
  }

  private pingNic(nic: string): void {
    for (const s of this.services) if (s.nic === nic) this.ping(s.tunnel);
  }

  /** One GUE ping from the tunnel's own port, where its remote is known. */
  private ping(tunnelId: number): void {
    const service = this.services.find((s) => s.tunnel === tunnelId);
    const tun = this.t.TUNNEL.get({ value: tunnelId });
    if (!service || !tun || tun.remote.ip === 0) return;
    const verify = this.t.VERIFY.get({ group: service.group, service: service.service });
    if (!verify) return;
    const payload = new Uint8Array(GUE_PING_LEN);
    writeGuePing(payload, 0, service.group, service.service, verify.key, tunnelId);
    this.host.sendUdp(tun.local.ip, tun.local.port, tun.remote.ip, tun.remote.port, payload);
  }
}

/** Ingress fwd bypasses netfilter: a proxy that leaves translation to iptables would forward untranslated. */
function checkFlags(rx: number, tx: number): void {
  if (!(rx & RX_FWD && rx & RX_GUE && !(rx & RX_DNAT) && tx & TX_PROXY)) return;
  throw new LabError("ERR_FLAGS", "ingress fwd bypasses netfilter, which this proxy leaves the translation to", {
    hint: "Add the ingress flag dnat (2) and the egress flag snat (2), or leave fwd (4) out.",
  });
}

function typedTables(stores: TableStores) {
  return {
    CONFIG: typed(TABLES.CONFIG, stores.CONFIG),
    TUNNEL: typed(TABLES.TUNNEL, stores.TUNNEL),
    DECAP: typed(TABLES.DECAP, stores.DECAP),
    ENCAP: typed(TABLES.ENCAP, stores.ENCAP),
    SESSION: typed(TABLES.SESSION, stores.SESSION),
    VERIFY: typed(TABLES.VERIFY, stores.VERIFY),
    DNAT: typed(TABLES.DNAT, stores.DNAT),
    SNAT: typed(TABLES.SNAT, stores.SNAT),
  };
}
