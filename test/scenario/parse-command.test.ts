import { describe, expect, it } from "vitest";
import { LabError } from "../../src/errors.ts";
import { COMMANDS, findCommand } from "../../src/scenario/commands.ts";
import { type ParseContext, parseCommand } from "../../src/scenario/parse-command.ts";
import { topologyContext } from "../../src/scenario/topology-context.ts";
import { usage } from "../../src/scenario/usage.ts";
import { basicTopology } from "../support/fake-lab.ts";

const ctx: ParseContext = topologyContext(basicTopology());

function refused(text: string, context: ParseContext = ctx): LabError {
  try {
    parseCommand(text, context);
  } catch (err) {
    if (err instanceof LabError) return err;
    throw err;
  }
  return expect.unreachable(`accepted: ${text}`);
}

/** Code and column of what is wrong, and the first line of the hint. */
const wrong = (text: string): [string, number, string | undefined] => {
  const err = refused(text);
  return [err.code, err.position!.column, err.hint?.split("\n")[0]];
};

describe("the list of commands", () => {
  it.each(COMMANDS.map((c) => [c.name, c] as const))(
    "%s: its example is read as this command, host in front or not",
    (_, spec) => {
      const command = parseCommand(spec.example, ctx);
      expect(command.spec).toBe(spec);
      expect(command.host !== undefined).toBe(spec.scope === "host");
    },
  );

  it.each(COMMANDS.map((c) => [c.name, c] as const))(
    "%s: optional parameters come last, and options have names of their own",
    (_, spec) => {
      const firstOptional = spec.params.findIndex((p) => p.optional);
      if (firstOptional >= 0) expect(spec.params.slice(firstOptional).every((p) => p.optional)).toBe(true);
      const names = [...spec.params.map((p) => p.name), ...Object.keys(spec.options ?? {})];
      expect(new Set(names).size).toBe(names.length);
      expect(usage(spec)).toContain(spec.name);
      if (spec.undo) expect(findCommand(spec.undo)).toBeDefined();
    },
  );

  it("has every script of the demo, and its undoing", () => {
    const scripts =
      "topo_setup topo_cleanup topo_check http_start http_stop pfc_start pfc_stop pfc_add pfc_delete pfc_list port_init port_alloc port_free port_list gue_ping gue_ping_stop egw_setup egw_cleanup pfc_setup pfc_cleanup cli pktdump test_icmp";
    for (const name of scripts.split(" ")) {
      expect(findCommand(name)?.name).toBe(name);
      expect(findCommand(`./${name}.sh`)?.name).toBe(name);
    }
  });
});

describe("the lines of the demo's text", () => {
  it.each([
    "./topo_setup.sh basic.cfg",
    "./topo_cleanup.sh basic.cfg",
    "./topo_check.sh basic.cfg",
    "./http_start.sh node1 1.1.1.1 4000 100",
    "./gue_ping.sh node2 200 172.1.0.4 6080 6080 30",
    "./egw_setup.sh egw 100 tcp 1.1.1.1 4000 172.1.0.5 6080 5.5.5.5 3100 10.1.1.100",
    "./pfc_setup.sh node1 100 tcp 1.1.1.1 4000 172.1.0.4 6080 10.1.1.100",
    "./cli.sh client",
    './pktdump.sh egw eth1 "udp and port 6080"',
    "./test_icmp.sh 5.5.5.5 client",
    './test_icmp.sh 5.5.5.5 "client node1 node2"',
    "sudo ./test_icmp.sh 5.5.5.5",
  ])("%s", (line) => {
    expect(parseCommand(line, ctx).host).toBeUndefined();
  });

  it.each([
    "./pfc_start.sh eth1 node1 9 9 5000 6000 10",
    "./pfc_stop.sh eth1",
    './pfc_add.sh eth1 1 100 "abcdefgh12345678" 172.1.0.3 5000 tcp 5.5.5.5 3100 1.1.1.1 4000',
    "./pfc_delete.sh 1 100",
    "./pfc_list.sh",
    "./port_init.sh 5000 6000",
    "./port_alloc.sh",
    "./port_free.sh 5000",
    "./port_list.sh",
  ])("%s, behind a host in every form", (line) => {
    const bare = parseCommand(line, { ...ctx, host: "egw" });
    for (const front of ["egw", "exec egw", "cli egw", "./cli.sh egw", "docker exec -it egw"])
      expect(parseCommand(`${front} ${line}`, ctx)).toMatchObject({ host: "egw", spec: bare.spec, args: bare.args });
    expect(refused(line).code).toBe("ERR_NEEDS_HOST");
  });
});

describe("values", () => {
  it("reads pfc_add: addresses and ports in host order, the key as bytes, -p anywhere", () => {
    const { args } = parseCommand("egw pfc_add eth1 1 200 -p 5erv1ceP@55w0rd! 0 0 tcp 5.5.5.5 3200 2.2.2.2 4000", ctx);
    expect(args).toEqual({
      nic: "eth1",
      group: 1,
      service: 200,
      key: new TextEncoder().encode("5erv1ceP@55w0rd!"),
      remoteIp: 0,
      remotePort: 0,
      proto: 6,
      proxyIp: 0x05050505,
      proxyPort: 3200,
      backendIp: 0x02020202,
      backendPort: 4000,
      ping: true,
    });
  });

  it("reads flags by number and by name, intervals in seconds as ns", () => {
    const { args } = parseCommand("egw pfc_start eth1 egw gue+dnat+dump proxy+mss 5000 5010 0.5 2 3", ctx);
    expect(args).toMatchObject({ rx: 11, tx: 33, ping: 5e8, sweep: 2e9, sweepCount: 3 });
  });

  it("reads options with values before, between and behind the parameters", () => {
    const a = parseCommand("client curl -X PUT --data-size=10M http://5.5.5.5:3100/x -m 5", ctx).args;
    expect(a).toEqual({ method: "PUT", dataSize: 10 * 1024 * 1024, url: "http://5.5.5.5:3100/x", maxTime: 5e9 });
    expect(parseCommand("client curl 5.5.5.5", ctx).args.url).toBe("http://5.5.5.5/");
  });

  it("leaves iptables and ip their own words, options too", () => {
    const words = "-t nat -A POSTROUTING -o eth1 -j MASQUERADE".split(" ");
    expect(parseCommand(`nat iptables ${words.join(" ")}`, ctx).args.rule).toEqual(words);
  });

  it("reads link faults as properties", () => {
    const change = (text: string) => parseCommand(`link egw/eth1 ${text}`, ctx).args.change;
    expect(change("loss 1% delay 5ms rate 10mbit")).toEqual({
      action: "set",
      props: { loss: 0.01, delayNs: 5e6, rateBps: 1e7 },
    });
    expect(change("down")).toEqual({ action: "down" });
  });

  it("a quoted word is never an option", () => {
    expect(parseCommand("client curl -d '-X' 5.5.5.5", ctx).args.data).toBe("-X");
    expect(refused("client curl '-X' 5.5.5.5").message).toBe('"-X" is not an IPv4 address');
  });
});

describe("mistakes: code, column, hint", () => {
  it.each<[string, string, number, RegExp?]>([
    ["", "ERR_COMMAND_SYNTAX", 1],
    ["egw pfc_lst", "ERR_COMMAND_UNKNOWN", 5, /Did you mean pfc_list\?/],
    ["pfc_lits", "ERR_COMMAND_UNKNOWN", 1, /Did you mean pfc_list\?/],
    ["egv pfc_list", "ERR_HOST_UNKNOWN", 1, /Did you mean egw\?/],
    ["http_start nodel 1.1.1.1 4000 100", "ERR_HOST_UNKNOWN", 12, /Did you mean node1/],
    ["test_icmp 5.5.5.5 client node9", "ERR_HOST_UNKNOWN", 26],
    ["egw", "ERR_COMMAND_UNKNOWN", 1, /egw pfc_list/],
    ["egw topo_check", "ERR_NOT_ON_HOST", 5, /topo_check basic.cfg/],
    ["egw pfc_stop eth7", "ERR_NIC_UNKNOWN", 14, /eth1/],
    ["egw port_init 5000", "ERR_MISSING_ARGUMENT", 19, /Usage: <host> port_init <min> <max>/],
    ["egw port_init 5000 5010 7", "ERR_TOO_MANY_ARGUMENTS", 25],
    ["egw port_init 5000 x", "ERR_BAD_ARGUMENT", 20],
    ["egw port_free 65536", "ERR_BAD_ARGUMENT", 15],
    ["egw port_free 0", "ERR_BAD_ARGUMENT", 15],
    ["egw pfc_start eth1 egw gve 9 5000 5010", "ERR_BAD_ARGUMENT", 24, /Did you mean gue\?/],
    ["egw pfc_add eth1 1 100 short 0 0 tcp 5.5.5.5 1 1.1.1.1 1", "ERR_KEY", 24, /16 bytes/],
    ["client ping -c three 5.5.5.5", "ERR_BAD_ARGUMENT", 16],
    ["client ping -q 5.5.5.5", "ERR_OPTION_UNKNOWN", 13],
    ["client ping 5.5.5.5 -c", "ERR_MISSING_ARGUMENT", 23],
    ["client ping -c 1 -c 2 5.5.5.5", "ERR_BAD_ARGUMENT", 18],
    ["client ping -M perhaps 5.5.5.5", "ERR_BAD_ARGUMENT", 16],
    ["client curl https://5.5.5.5/", "ERR_BAD_ARGUMENT", 13, /http:/],
    ["client curl http://example.org/", "ERR_BAD_ARGUMENT", 13, /name server/],
    ["client send_gue ping --group 1", "ERR_MISSING_ARGUMENT", 31],
    ["wait 5", "ERR_BAD_ARGUMENT", 6, /5s/],
    ["link all loss", "ERR_MISSING_ARGUMENT", 10],
    ["link all loss 2", "ERR_BAD_ARGUMENT", 15],
    ["link all los 1%", "ERR_BAD_ARGUMENT", 10, /Did you mean loss/],
    ["wait '5s", "ERR_COMMAND_SYNTAX", 6],
    ["exec egw", "ERR_MISSING_ARGUMENT", 9],
  ])("%s", (text, code, column, hint) => {
    const [gotCode, gotColumn, gotHint] = wrong(text);
    expect([gotCode, gotColumn]).toEqual([code, column]);
    if (hint) expect(gotHint).toMatch(hint);
  });

  it("names file, line and column where the line stands in a file", () => {
    const err = refused("egw pfc_lst", { ...ctx, position: { file: "a.yaml", line: 7, column: 9 } });
    expect(err.position).toEqual({ file: "a.yaml", line: 7, column: 13 });
  });
});
