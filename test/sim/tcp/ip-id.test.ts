/** IP IDs of TCP segments, as a Linux kernel was seen to choose them. */
import { expect, it } from "vitest";
import { TcpStack } from "../../../src/sim/tcp/stack.ts";
import { SEC } from "../../../src/sim/types.ts";
import { ETH_HLEN, ETH_P_IP, ethType } from "../../../src/wire/ethernet.ts";
import { ipHlen, ipId, ipSaddr } from "../../../src/wire/ipv4.ts";
import { TCP_ACK, TCP_RST, TCP_SYN, tcpFlags } from "../../../src/wire/tcp.ts";
import { ip, lan, record } from "../network.ts";
import { Peer } from "./peer.ts";

it("is 0 where no connection sends: SYN/ACK, and the RST for a port where nothing listens", () => {
  const net = lan(2);
  const rec = record(net.env);
  const [client, server] = net.hosts.map((h) => new TcpStack(h.ip));
  server.listen(0, 80, () => new Peer());
  client.connect(ip("10.0.0.3"), 80, new Peer());
  client.connect(ip("10.0.0.3"), 81, new Peer());
  net.env.clock.run(SEC);
  const segments = rec.packets
    .filter((p) => p.direction === "out" && ethType(p.frame, 0) === ETH_P_IP)
    .map(({ frame }) => ({
      server: ipSaddr(frame, ETH_HLEN) === ip("10.0.0.3"),
      flags: tcpFlags(frame, ETH_HLEN + ipHlen(frame, ETH_HLEN)),
      id: ipId(frame, ETH_HLEN),
    }));
  const ids = (flags: number): number[] => segments.filter((s) => s.flags === flags).map((s) => s.id);
  expect(ids(TCP_SYN | TCP_ACK)).toEqual([0]);
  expect(ids(TCP_RST | TCP_ACK)).toEqual([0]);
  const others = [...ids(TCP_SYN), ...ids(TCP_ACK)];
  expect(others.length).toBeGreaterThanOrEqual(3);
  expect(others.every((id) => id !== 0)).toBe(true);
});
