/**
 * A topology as it was written, before any check: what the `.cfg` reader and the inline form both give to
 * `buildTopology`. Every word carries its place, so that each error can point at the offending one.
 */
import type { Position } from "../errors.ts";
import type { LinkProps, Role } from "./topology.ts";

export interface RawWord {
  text: string;
  position?: Position;
}

export interface RawHost {
  name: RawWord;
  role: Role;
}

export interface RawNetwork {
  name: RawWord;
  subnet: RawWord;
  /** Addresses are handed out in this order. */
  members: RawWord[];
}

export interface RawProxyIp {
  proxy: RawWord;
  ip: RawWord;
}

/** The hosts behind one NAT. */
export interface RawNatGroup {
  nat: RawWord;
  hosts: RawWord[];
}

/** Link properties to set: of every link (`*`), of a network's links, or of one NIC (`node2/eth1`); the last one wins. */
export interface RawLinkOverride {
  target: RawWord;
  props: Partial<LinkProps>;
}

export interface RawTopology {
  name: RawWord;
  hosts: RawHost[];
  /** The first one is the public network. */
  networks: RawNetwork[];
  proxyIps: RawProxyIp[];
  behind: RawNatGroup[];
  /** Servers that are in no group, not on the first network, and share a network with a NAT, are behind it. */
  defaultBehind: boolean;
  links: RawLinkOverride[];
  /** Where the topology starts, for errors about something that is not there. */
  position?: Position;
}
