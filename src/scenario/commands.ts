/**
 * Every command of the language: the demo's scripts under their own names and argument order, and what a scenario needs
 * besides. Labs run them, `parse-command.ts` reads them, help and completion are made from them.
 */
import type { CommandSpec, OptionSpec, ParamSpec, ParamType } from "./command.ts";

const p = (name: string, type: ParamType, doc: string, more: Partial<ParamSpec> = {}): ParamSpec => ({
  name,
  type,
  doc,
  ...more,
});
const opt = (name: string, type: ParamType, doc: string, more: Partial<ParamSpec> = {}): ParamSpec =>
  p(name, type, doc, { ...more, optional: true });
const o = (flags: string[], doc: string, type?: ParamType, more: Partial<OptionSpec> = {}): OptionSpec => ({
  flags,
  doc,
  type,
  ...more,
});

const config = opt("config", "word", "topology file; may be left out where the lab has one already");
const image = opt("image", "word", "docker image of the hosts; other labs ignore it");
const nic = p("nic", "nic", "interface, eth1 for instance");
const rx = p("rx", "rx-flags", "ingress flags: gue 1, dnat 2, fwd 4, dump 8");
const tx = p("tx", "tx-flags", "egress flags: proxy 1, snat 2, fwd 4, dump 8, fib 16, mss 32");
const group = p("group", "u16", "group id");
const service = p("service", "u16", "service id");
const port = (name: string, doc: string): ParamSpec => p(name, "port", doc, { min: 1 });

const lab = (name: string, params: ParamSpec[], summary: string, example: string, more: Partial<CommandSpec> = {}) =>
  ({ name, scope: "lab", params, summary, example, ...more }) satisfies CommandSpec;
const host = (name: string, params: ParamSpec[], summary: string, example: string, more: Partial<CommandSpec> = {}) =>
  ({ name, scope: "host", params, summary, example, ...more }) satisfies CommandSpec;

const TOPOLOGY: CommandSpec[] = [
  lab("topo_setup", [config, image], "bring a topology up", "topo_setup basic.cfg", { undo: "topo_cleanup" }),
  lab("topo_cleanup", [config, image], "bring a topology down", "topo_cleanup basic.cfg"),
  lab("topo_check", [config], "list the hosts and networks that are up", "topo_check basic.cfg"),
  lab(
    "cli",
    [p("host", "host", "host whose prompt to open")],
    "go to a host's prompt (shell only); `cli HOST COMMAND` runs one command there",
    "cli egw",
  ),
  lab(
    "test_icmp",
    [p("ip", "ip", "address to ping"), opt("hosts", "hosts", "hosts that ping; without any, the gateway does")],
    "send 3 echo requests from each host",
    'test_icmp 5.5.5.5 "client node1"',
  ),
  lab(
    "pktdump",
    [p("host", "host", "host"), nic, opt("filter", "word", "which packets, in tcpdump's language (a subset)")],
    "print the packets of an interface as tcpdump -nvvvXXes 0 does",
    'pktdump egw eth1 "udp and port 5000"',
    { options: { count: o(["-c"], "only the last so many", "count", { min: 1 }) } },
  ),
];

const SERVICES: CommandSpec[] = [
  lab(
    "http_start",
    [
      p("node", "host", "host of the service"),
      p("ip", "ip", "address of the service, put on lo"),
      port("port", "TCP port"),
      p("id", "word", "service id, shown in /hello"),
    ],
    "start an HTTP service with /hello and data_1M.bin and larger",
    "http_start node1 1.1.1.1 4000 100",
    { undo: "http_stop" },
  ),
  lab(
    "http_stop",
    [p("node", "host", "host of the service"), p("ip", "ip", "its address"), port("port", "its port")],
    "stop an HTTP service",
    "http_stop node1 1.1.1.1 4000",
  ),
  host(
    "udp_serve",
    [
      p("ip", "ip", "address of the service, put on lo"),
      port("port", "UDP port"),
      p("id", "word", "service id"),
      opt("replySize", "size", "bytes of a reply, where the request does not ask for a size (as long as the text)"),
    ],
    "start a UDP service that answers each datagram with its name, filled up to the size asked for",
    "node1 udp_serve 1.1.1.1 4000 100",
    { undo: "udp_stop" },
  ),
  host(
    "udp_stop",
    [p("ip", "ip", "its address"), port("port", "its port")],
    "stop a UDP service",
    "node1 udp_stop 1.1.1.1 4000",
  ),
];

const TRUE_INGRESS: CommandSpec[] = [
  host(
    "pfc_start",
    [
      nic,
      p("name", "word", "name of the instance, for listings"),
      rx,
      tx,
      port("portMin", "first tunnel port of the pool"),
      port("portMax", "last tunnel port of the pool, included"),
      opt("ping", "seconds", "send GUE pings at this interval; none without it or with 0"),
      opt("sweep", "seconds", "advance the session epoch at this interval (10); 0 = sessions do not age"),
      opt("sweepCount", "count", "sweeps without a packet after which a session is deleted (6)", { min: 1 }),
    ],
    "attach True Ingress to an interface, fill the port pool, start the ping daemon",
    "egw pfc_start eth1 egw 9 9 5000 5010",
    { undo: "pfc_stop" },
  ),
  host(
    "pfc_flags",
    [nic, rx, tx],
    "change the flags of an interface while it runs, to turn dump on or off for instance",
    "egw pfc_flags eth1 gue+dnat proxy+snat",
  ),
  host("pfc_stop", [nic], "detach True Ingress from an interface", "egw pfc_stop eth1"),
  host(
    "pfc_add",
    [
      nic,
      group,
      service,
      p("key", "key", "16-byte security key"),
      p("remoteIp", "ip", "remote tunnel address; 0 waits for the ping"),
      p("remotePort", "port", "remote tunnel port; 0 waits for the ping"),
      p("proto", "proto", "protocol of the service"),
      p("proxyIp", "ip", "public address of the service"),
      p("proxyPort", "port", "public port of the service"),
      p("backendIp", "ip", "address of the service on its node"),
      p("backendPort", "port", "port of the service on its node"),
    ],
    "set up the tunnel and the forwarding of one service; prints the local tunnel port",
    "egw pfc_add eth1 1 100 abcdefgh12345678 172.1.0.4 6000 tcp 5.5.5.5 3100 1.1.1.1 4000",
    { undo: "pfc_delete", options: { ping: o(["-p"], "send one GUE ping at once") } },
  ),
  host("pfc_delete", [group, service], "remove a service, its tunnel and its sessions", "egw pfc_delete 1 100"),
  host("pfc_list", [], "show the tables", "egw pfc_list"),
  host(
    "port_init",
    [port("min", "first port"), port("max", "last port, included")],
    "fill the empty port pool",
    "egw port_init 5000 5010",
  ),
  host("port_alloc", [], "take the first port of the pool", "egw port_alloc", { undo: "port_free" }),
  host("port_free", [port("port", "port to give back")], "put a port at the end of the pool", "egw port_free 5000"),
  host("port_list", [], "show the port pool", "egw port_list"),
];

/** The path without True Ingress, by the kernel's own fou and ipip devices (SPEC section 7). */
const LINUX: CommandSpec[] = [
  lab(
    "gue_ping",
    [
      p("node", "host", "host that sends"),
      p("service", "u16", "service id, names the sender"),
      p("remoteIp", "ip", "where to"),
      port("remotePort", "where to"),
      port("localPort", "source port"),
      p("delay", "seconds", "interval", { min: 1 }),
    ],
    "send a plain UDP packet at an interval, to keep a NAT mapping open",
    "gue_ping node2 200 172.1.0.3 6080 6080 30",
    { undo: "gue_ping_stop" },
  ),
  lab(
    "gue_ping_stop",
    [p("node", "host", "host that sends"), p("service", "u16", "service id")],
    "stop a gue_ping",
    "gue_ping_stop node2 200",
  ),
  lab(
    "egw_setup",
    [
      p("node", "host", "the proxy"),
      p("service", "u16", "service id"),
      p("proto", "proto", "protocol of the service"),
      p("serviceIp", "ip", "address of the service on its node"),
      port("servicePort", "port of the service on its node"),
      p("realIp", "ip", "remote tunnel address"),
      port("realPort", "remote tunnel port"),
      p("proxyIp", "ip", "public address of the service"),
      port("proxyPort", "public port of the service"),
      p("fooIp", "ip", "address on the tunnel device"),
    ],
    "set up the proxy's side of a kernel GUE tunnel",
    "egw_setup egw 100 tcp 1.1.1.1 4000 172.1.0.4 6080 5.5.5.5 3100 10.1.1.100",
    { undo: "egw_cleanup" },
  ),
  lab(
    "egw_cleanup",
    [p("node", "host", "the proxy"), p("service", "u16", "service id")],
    "undo egw_setup",
    "egw_cleanup egw 100",
  ),
  lab(
    "pfc_setup",
    [
      p("node", "host", "the node"),
      p("service", "u16", "service id"),
      p("proto", "proto", "protocol of the service"),
      p("serviceIp", "ip", "address of the service"),
      port("servicePort", "port of the service"),
      p("remoteIp", "ip", "the proxy's tunnel address"),
      port("remotePort", "the proxy's tunnel port"),
      p("fooIp", "ip", "address on the proxy's tunnel device"),
    ],
    "set up the node's side of a kernel GUE tunnel",
    "pfc_setup node1 100 tcp 1.1.1.1 4000 172.1.0.3 6080 10.1.1.100",
    { undo: "pfc_cleanup" },
  ),
  lab(
    "pfc_cleanup",
    [p("node", "host", "the node"), p("service", "u16", "service id")],
    "undo pfc_setup",
    "pfc_cleanup node1 100",
  ),
];

/** What a person would type inside a host. */
const HOST: CommandSpec[] = [
  host("curl", [p("url", "url", "what to fetch")], "one HTTP request", "client curl http://5.5.5.5:3100/hello", {
    options: {
      method: o(["-X", "--request", "--method"], "method (GET, or POST with data)", "word"),
      data: o(["-d", "--data"], "request body", "word"),
      dataSize: o(["--data-size"], "request body of so many bytes", "size"),
      localPort: o(["--local-port"], "source port", "port", { min: 1 }),
      maxTime: o(["-m", "--max-time"], "give up after so long (60 s)", "seconds", { min: 1 }),
      output: o(["-o", "--output"], "do not print the body (no file is written)", "word"),
      silent: o(["-s", "--silent"], "accepted; there is no progress meter"),
    },
  }),
  host("ping", [p("ip", "ip", "address to ping")], "send ICMP echo requests", "client ping -c 3 5.5.5.5", {
    options: {
      count: o(["-c"], "how many (3)", "count", { min: 1 }),
      size: o(["-s"], "payload bytes (56)", "size"),
      df: o(["-M"], "path MTU discovery: do sets DF, dont does not", "word", { choices: ["do", "dont"] }),
      interval: o(["-i"], "time between requests (0.2 s)", "seconds", { min: 1 }),
      timeout: o(["-W"], "time to wait for the last reply (1 s)", "seconds", { min: 1 }),
    },
  }),
  host(
    "udp",
    [p("ip", "ip", "where to"), port("port", "where to"), p("size", "size", "payload bytes")],
    "send one datagram and wait for one reply",
    "client udp --df 5.5.5.5 3100 1400",
    {
      options: {
        df: o(["--df"], "set DF, and fail with EMSGSIZE beyond the path MTU"),
        localPort: o(["--local-port"], "source port", "port", { min: 1 }),
        reply: o(["--reply"], "ask the service for a reply of so many bytes", "size"),
        timeout: o(["--timeout"], "give up after so long (1 s)", "seconds", { min: 1 }),
        noReply: o(["--no-reply"], "do not wait for a reply"),
      },
    },
  ),
  host(
    "iptables",
    [p("rule", "rest", "the subset that the demo uses")],
    "netfilter rules: -t nat PREROUTING DNAT, POSTROUTING SNAT and MASQUERADE, FORWARD ACCEPT",
    "egw iptables -t nat -A PREROUTING -p tcp -i eth1 -d 5.5.5.5 --dport 3100 -j DNAT --to-destination 1.1.1.1:4000",
  ),
  host(
    "sysctl",
    [p("setting", "word", "name, or name=value")],
    "read or set a kernel setting",
    "nat sysctl -w net.netfilter.nf_conntrack_udp_timeout=10",
    { options: { write: o(["-w"], "write (implied by =)") } },
  ),
  host("conntrack", [], "show or empty the connection tracking table", "nat conntrack -L", {
    options: { list: o(["-L"], "show all entries (the default)"), flush: o(["-F"], "delete all entries") },
  }),
  host(
    "ip",
    [p("words", "rest", "route, addr, neigh or link")],
    "addresses, routes, neighbours, links",
    "node1 ip link set eth1 mtu 1400",
  ),
  host("arp", [], "show the neighbour table", "egw arp", {
    options: { numeric: o(["-n"], "accepted; names are never resolved") },
  }),
];

/** Packets made by hand. */
const CRAFTED: CommandSpec[] = [
  host(
    "send",
    [nic, p("frame", "hex", "the frame, MAC header first")],
    "send a raw frame out of an interface, past its hook",
    "client send eth1 ffffffffffff0200000000010800",
  ),
  host(
    "send_gue",
    [p("kind", "word", "ping or data", { choices: ["ping", "data"] })],
    "send a GUE packet made by hand, as an attacker would",
    "client send_gue ping --to 172.1.0.3:5000 --group 1 --service 100 --key abcdefgh12345678",
    {
      options: {
        from: o(["--from"], "outer source, also a forged one (the host's own address, port 6080)", "endpoint"),
        to: o(["--to"], "outer destination", "endpoint", { required: true }),
        group: o(["--group"], "group id (0)", "u16"),
        service: o(["--service"], "service id (0)", "u16"),
        key: o(["--key"], "security field (zeros)", "key"),
        tunnel: o(["--tunnel"], "tunnel id of a ping; without it the older form with Hlen 5 is sent", "u32"),
        header: o(["--header"], "the first 4 bytes of the GUE header in hex, in place of the right ones", "hex"),
        inner: o(["--inner"], "what a data packet carries, in hex", "hex"),
        truncate: o(["--truncate"], "cut the UDP payload to so many bytes (lengths stay consistent)", "count"),
      },
    },
  ),
];

const LAB: CommandSpec[] = [
  lab("wait", [p("time", "duration", "how long")], "let time pass (virtual time costs nothing)", "wait 5s"),
  lab(
    "link",
    [
      p("link", "link", "HOST/NIC, HOST or all"),
      p(
        "change",
        "link-change",
        "loss P, delay T, duplicate P, jitter T, reorder P, reorder_delay T, corrupt P, rate R, queue N; or clear, down, up",
      ),
    ],
    "change the faults of a link",
    "link egw/eth1 loss 1% delay 5ms",
  ),
  lab("tables", [p("host", "host", "host")], "show all tables of a host", "tables egw"),
  lab("counters", [opt("host", "host", "host (all without it)")], "show packet and reason counters", "counters egw"),
];

/** In the order in which help lists them. */
export const COMMAND_GROUPS: readonly { title: string; commands: readonly CommandSpec[] }[] = [
  { title: "Topology", commands: TOPOLOGY },
  { title: "Services", commands: SERVICES },
  { title: "True Ingress (inside a host)", commands: TRUE_INGRESS },
  { title: "Without True Ingress (kernel GUE)", commands: LINUX },
  { title: "Inside a host", commands: HOST },
  { title: "Packets made by hand (inside a host)", commands: CRAFTED },
  { title: "The lab", commands: LAB },
];

/** What scenarios may expect of a command, by CommandResult.data name. */
const RESULTS: Record<string, Record<string, string>> = {
  topo_check: { hosts: "names of the hosts that are up", networks: "names of the networks" },
  test_icmp: { sent: "requests sent, of all hosts", received: "replies received" },
  pktdump: { packets: "how many packets were printed" },
  pfc_add: { port: "local tunnel port", tunnel: "tunnel id" },
  port_alloc: { port: "the port" },
  port_list: { ports: "free ports, in the order in which they will be handed out" },
  curl: {
    status: "HTTP status",
    body: "response body, without a line break at its end",
    size: "body bytes",
    sha256: "of the body, hex",
    localPort: "source port of the request",
  },
  ping: {
    sent: "requests sent",
    received: "replies received",
    errors: "requests that could not be sent, or that an ICMP error came back for",
    icmpType: "ICMP type of the first error, -1 where the request could not be sent",
    icmpCode: "its ICMP code",
    mtu: "its next-hop MTU, bytes; 0 unless it is fragmentation needed",
  },
  udp: {
    size: "bytes of the reply",
    body: "the reply's text, where a service names itself",
    sha256: "of the reply, hex",
  },
  sysctl: { value: "the setting's value" },
  conntrack: { entries: "how many entries" },
  send: { length: "bytes of the frame" },
  send_gue: { length: "bytes of the UDP payload" },
  link: { links: "how many links were changed" },
};

for (const { commands } of COMMAND_GROUPS) for (const c of commands) c.results = RESULTS[c.name];

export const COMMANDS: readonly CommandSpec[] = COMMAND_GROUPS.flatMap((g) => g.commands);
const byName = new Map(COMMANDS.map((c) => [c.name, c]));

/** A command by name, with or without `.sh` and a path in front. */
export function findCommand(word: string): CommandSpec | undefined {
  return byName.get(word.replace(/^.*\//, "").replace(/\.sh$/, ""));
}
