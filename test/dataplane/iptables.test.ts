import { describe, expect, it } from "vitest";
import { applyIptables, parseIptables } from "../../src/dataplane/iptables.ts";
import { LabError } from "../../src/errors.ts";
import { DEMO_RULES, NatBox } from "../support/nat-box.ts";
import { ip } from "../support/packets.ts";

const parse = (line: string) => parseIptables(line.split(" "));

/** The code and message of what a line is refused with. */
function refusal(run: () => unknown): [code: string, message: string] {
  try {
    run();
  } catch (e) {
    if (e instanceof LabError) return [e.code, e.message];
    throw e;
  }
  throw new Error("was not refused");
}

describe("parsing", () => {
  it("reads the demo's DNAT rule", () => {
    expect(
      parse("-t nat -A PREROUTING -p tcp -i eth1 -d 5.5.5.5 --dport 3100 -j DNAT --to-destination 1.1.1.1:4000"),
    ).toMatchObject({
      op: "append",
      table: "nat",
      chain: "PREROUTING",
      rule: {
        proto: 6,
        inIface: "eth1",
        daddr: ip("5.5.5.5"),
        dmask: 0xffffffff,
        dport: [3100, 3100],
        target: { kind: "DNAT", addr: ip("1.1.1.1"), port: 4000 },
      },
    });
  });

  it("finds the table wherever it stands, and takes options that change nothing here", () => {
    expect(parse("-A POSTROUTING -o eth1 -j MASQUERADE -t nat -w")).toEqual(
      parse("-t nat -A POSTROUTING -o eth1 -j MASQUERADE"),
    );
    expect(parse("-A FORWARD -p tcp -m tcp --dport 80 -j ACCEPT")).toEqual(
      parse("-t filter -A FORWARD -p tcp --dport 80 -j ACCEPT"),
    );
  });

  it.each([
    ["", "ERR_IPTABLES_SYNTAX", /no command/],
    ["-t mangle -F", "ERR_IPTABLES_TABLE", /nat or filter.*"mangle"/],
    ["-t", "ERR_IPTABLES_TABLE", /got nothing/],
    ["-A POSTROUTING -j MASQUERADE", "ERR_IPTABLES_CHAIN", /INPUT, FORWARD, OUTPUT/],
    ["-A", "ERR_IPTABLES_SYNTAX", /chain is missing/],
    ["-A FORWARD -D FORWARD -j ACCEPT", "ERR_IPTABLES_SYNTAX", /only one/],
    ["-A FORWARD", "ERR_IPTABLES_TARGET", /target is missing/],
    ["-A FORWARD -j", "ERR_IPTABLES_SYNTAX", /-j needs a value/],
    ["-A FORWARD -j REJECTED", "ERR_IPTABLES_TARGET", /unknown target/],
    ["-A FORWARD -j MASQUERADE", "ERR_IPTABLES_TARGET", /nat table only/],
    ["-t nat -A PREROUTING -j MASQUERADE", "ERR_IPTABLES_TARGET", /POSTROUTING only/],
    ["-t nat -A POSTROUTING -j DROP", "ERR_IPTABLES_TARGET", /expected ACCEPT/],
    ["-t nat -P POSTROUTING DROP", "ERR_IPTABLES_TARGET", /not for filtering/],
    ["-t nat -A POSTROUTING -j SNAT", "ERR_IPTABLES_TARGET", /needs --to-source/],
    ["-t nat -A POSTROUTING -j SNAT --to-destination 1.1.1.1", "ERR_IPTABLES_TARGET", /does not go with/],
    ["-t nat -A POSTROUTING -j SNAT --to-source 1.1.1.1:80", "ERR_IPTABLES_TARGET", /needs -p tcp/],
    ["-t nat -A POSTROUTING -p tcp -j SNAT --to-source 1.1.1.1:65536", "ERR_IPTABLES_TARGET", /expected --to-source/],
    ["-t nat -A POSTROUTING -p tcp -j SNAT --to-source 1.1.1:80", "ERR_IPTABLES_TARGET", /expected --to-source/],
    ["-A FORWARD --dport 80 -j ACCEPT", "ERR_IPTABLES_MATCH", /need -p tcp/],
    ["-A FORWARD -p tcp --dport 65536 -j ACCEPT", "ERR_IPTABLES_MATCH", /expected a port/],
    ["-A FORWARD -p tcp --dport 9:8 -j ACCEPT", "ERR_IPTABLES_MATCH", /expected a port/],
    ["-A FORWARD -p sctpx -j ACCEPT", "ERR_IPTABLES_MATCH", /expected protocol/],
    ["-A FORWARD -d 1.2.3 -j ACCEPT", "ERR_IPTABLES_MATCH", /expected an IPv4/],
    ["-A FORWARD -d 1.2.3.4/33 -j ACCEPT", "ERR_IPTABLES_MATCH", /expected an IPv4/],
    ["-A FORWARD ! -d 1.2.3.4 -j ACCEPT", "ERR_IPTABLES_MATCH", /negation/],
    ["-A FORWARD -m limit -j ACCEPT", "ERR_IPTABLES_MATCH", /unknown match/],
    ["-A FORWARD -p udp -m tcp -j ACCEPT", "ERR_IPTABLES_MATCH", /-m tcp needs -p tcp/],
    ["-A FORWARD -m state -j ACCEPT", "ERR_IPTABLES_MATCH", /needs --state/],
    ["-A FORWARD --state NEW -j ACCEPT", "ERR_IPTABLES_MATCH", /needs "-m state"/],
    ["-A FORWARD -m state --state NEWER -j ACCEPT", "ERR_IPTABLES_MATCH", /expected states/],
    ["-A INPUT -o eth1 -j ACCEPT", "ERR_IPTABLES_MATCH", /cannot be used in INPUT/],
    ["-A OUTPUT -i eth1 -j ACCEPT", "ERR_IPTABLES_MATCH", /cannot be used in OUTPUT/],
    ["-A FORWARD -i interface-too-long -j ACCEPT", "ERR_IPTABLES_MATCH", /at most 15/],
    ["-A FORWARD --frobnicate -j ACCEPT", "ERR_IPTABLES_SYNTAX", /unknown option/],
    ["-P FORWARD REJECT", "ERR_IPTABLES_TARGET", /policy ACCEPT or DROP/],
    ["-D FORWARD 0", "ERR_IPTABLES_SYNTAX", /rule number/],
    ["-F FORWARD now", "ERR_IPTABLES_SYNTAX", /unexpected "now"/],
  ])("refuses %j with %s", (line, code, message) => {
    const [gotCode, gotMessage] = refusal(() => parseIptables(line === "" ? [] : line.split(" ")));
    expect(gotCode).toBe(code);
    expect(gotMessage).toMatch(message);
  });
});

describe("applying", () => {
  it("prints what it was given, in iptables' order, and reads it again", () => {
    const box = new NatBox([
      ...DEMO_RULES,
      "-t nat -A PREROUTING -p tcp -i eth1 -d 5.5.5.5 --dport 3100 -j DNAT --to-destination 1.1.1.1:4000",
      "-t nat -A POSTROUTING --sport 1:5 -p udp -s 10.1.2.3/8 -j SNAT --to-source 5.5.5.5",
    ]);
    expect(box.iptables("-S")).toEqual([
      "-P INPUT ACCEPT",
      "-P FORWARD DROP",
      "-P OUTPUT ACCEPT",
      "-A FORWARD -i eth2 -o eth1 -j ACCEPT",
      "-A FORWARD -i eth1 -o eth2 -m state --state RELATED,ESTABLISHED -j ACCEPT",
    ]);
    const nat = box.iptables("-t nat -S");
    expect(nat.slice(4)).toEqual([
      "-A PREROUTING -d 5.5.5.5/32 -i eth1 -p tcp -m tcp --dport 3100 -j DNAT --to-destination 1.1.1.1:4000",
      "-A POSTROUTING -o eth1 -j MASQUERADE",
      "-A POSTROUTING -s 10.0.0.0/8 -p udp -m udp --sport 1:5 -j SNAT --to-source 5.5.5.5",
    ]);
    const copy = new NatBox(nat.map((line) => `-t nat ${line}`));
    expect(copy.iptables("-t nat -S")).toEqual(nat);
  });

  it("lists chains in columns", () => {
    const box = new NatBox([
      "-t nat -A PREROUTING -p tcp -i eth1 -d 5.5.5.5 --dport 3100 -j DNAT --to-destination 1.1.1.1:4000",
    ]);
    expect(box.iptables("-t nat -L PREROUTING -n")).toEqual([
      "Chain PREROUTING (policy ACCEPT)",
      "target     prot opt source               destination",
      "DNAT       tcp  --  0.0.0.0/0            5.5.5.5              in:eth1 tcp dpt:3100 to:1.1.1.1:4000",
    ]);
    expect(box.iptables("-t nat -L -n --line-numbers").filter((l) => l.startsWith("Chain"))).toHaveLength(4);
  });

  it("deletes by rule and by number, inserts in front, and checks", () => {
    const box = new NatBox(["-A FORWARD -p tcp --dport 80 -j ACCEPT", "-I FORWARD -p udp -j DROP"]);
    box.iptables("-C FORWARD -p tcp -m tcp --dport 80 -j ACCEPT");
    expect(box.iptables("-S FORWARD").slice(1)).toEqual([
      "-A FORWARD -p udp -j DROP",
      "-A FORWARD -p tcp -m tcp --dport 80 -j ACCEPT",
    ]);
    box.iptables("-D FORWARD 1");
    box.iptables("-D FORWARD -p tcp --dport 80 -j ACCEPT");
    expect(box.iptables("-S FORWARD")).toEqual(["-P FORWARD ACCEPT"]);
  });

  it("refuses to delete what is not there, and changes nothing", () => {
    const box = new NatBox();
    const before = box.iptables("-S");
    expect(refusal(() => box.iptables("-D FORWARD -i eth7 -j ACCEPT"))).toEqual([
      "ERR_IPTABLES_NO_RULE",
      "iptables: Bad rule (does a matching rule exist in that chain?).",
    ]);
    expect(refusal(() => box.iptables("-D FORWARD 3"))[0]).toBe("ERR_IPTABLES_NO_RULE");
    expect(refusal(() => box.iptables("-I FORWARD 4 -j ACCEPT"))[0]).toBe("ERR_IPTABLES_NO_RULE");
    expect(box.iptables("-S")).toEqual(before);
  });

  it("flushes rules but keeps policies", () => {
    const box = new NatBox();
    applyIptables(box.nf, parse("-F"));
    applyIptables(box.nf, parse("-t nat -F POSTROUTING"));
    expect(box.iptables("-S FORWARD")).toEqual(["-P FORWARD DROP"]);
    expect(box.iptables("-t nat -S POSTROUTING")).toEqual(["-P POSTROUTING ACCEPT"]);
  });
});
