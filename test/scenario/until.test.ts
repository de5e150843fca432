import { beforeEach, describe, expect, it } from "vitest";
import { LabError } from "../../src/errors.ts";
import type { CheckReport } from "../../src/scenario/report-types.ts";
import { topologyContext } from "../../src/scenario/topology-context.ts";
import { formatPorts, parseState } from "../../src/scenario/until.ts";
import { REASON } from "../../src/tables/reasons.ts";
import { TABLES } from "../../src/tables/schema.ts";
import { typed } from "../../src/tables/typed.ts";
import { FakeLab } from "../support/fake-lab.ts";

let lab: FakeLab;
const ep = (ip: number, port: number, proto: number) => ({ ip, port, proto, pad: 0 });
const key = new TextEncoder().encode("5erv1ceP@55w0rd!");

beforeEach(() => {
  lab = new FakeLab();
  const t = lab.tablesOf("egw");
  const tunnel = typed(TABLES.TUNNEL, t.TUNNEL);
  tunnel.set({ value: 65736 }, { local: ep(0xac010003, 5000, 17), remote: ep(0xac010005, 6000, 17) });
  tunnel.set({ value: 65737 }, { local: ep(0xac010003, 5001, 17), remote: ep(0, 0, 17) });
  const client = ep(0xac010002, 33000, 6);
  const backend = ep(0x02020202, 4000, 6);
  const proxy = ep(0x05050505, 3200, 6);
  const id = { group: 1, service: 200 };
  typed(TABLES.SESSION, t.SESSION).set({ client, backend }, { tunnel: 65736, id, key, proxy, epoch: 3 });
  typed(TABLES.VERIFY, t.VERIFY).set(id, { key, tunnel: 65736, proxy, backend });
  typed(TABLES.DNAT, t.DNAT).set(proxy, backend);
  typed(TABLES.CONFIG, t.CONFIG).set({ value: 2 }, { rx: 9, tx: 33, mtu: 1500 });
  typed(TABLES.REASON, t.REASON).set({ value: REASON.DROP_WRONG_KEY }, { value: 3 });
  typed(TABLES.EPOCH, t.EPOCH).set({ value: 0 }, { value: 7 });
  lab.poolPorts.set("egw", [5002, 5003, 5004, 5000]);
  lab.conntrackLines.push("udp 17 29 src=172.2.0.3 dst=172.1.0.3 sport=6000 dport=5000", "icmp 1 29 src=172.2.0.3");
});

const evaluate = (text: string): CheckReport =>
  parseState(text, topologyContext(lab.topology)).evaluate({ lab, mark: () => ({ packets: 0, drops: 0 }) });

describe("state in words", () => {
  it.each([
    ["tunnel egw 65736 remote 172.1.0.5:6000", "tunnel egw 65736 remote 172.1.0.5:6001"],
    ["tunnel egw 65736 local 172.1.0.3:5000 remote /:6000$/", "tunnel egw 65736 local 172.1.0.3:5000 remote /:7000$/"],
    ["tunnel egw 65736 resolved", "tunnel egw 65737 resolved"],
    ["tunnel egw 65737 unresolved", "tunnel egw 65736 unresolved"],
    ["tunnel egw 65738 absent", "tunnel egw 65737 absent"],
    ["tunnel egw 65736", "tunnel egw 1"],
    ["tunnel egw count 2", "tunnel egw count 1"],
    ["table egw TUNNEL * local /5001/", "table egw TUNNEL * local /5009/"],
    ["session egw count 1", "session egw count 0"],
    ["session egw tcp 172.1.0.2:33000 > 2.2.2.2:4000 epoch 3", "session egw tcp 172.1.0.2:33001 > 2.2.2.2:4000"],
    ["session egw * proxy tcp 5.5.5.5:3200", "session egw * proxy udp 5.5.5.5:3200"],
    ["session egw tunnel 65736 count 1", "session egw tunnel 65737 count 1"],
    ["service egw 1/200 key hex:35657276316365504035357730726421", "service egw 1/200 key abcdefgh12345678"],
    ["dnat egw tcp 5.5.5.5:3200 backend tcp 2.2.2.2:4000", "dnat egw udp 5.5.5.5:3200"],
    ["table egw CONFIG 2 rx gue+dump tx 33 mtu 1500", "table egw CONFIG 2 rx 11"],
    ["table node1 TUNNEL count 0", "table node1 TUNNEL count 1"],
    ["reason egw DROP_WRONG_KEY 3", "reason egw DROP_WRONG_KEY >=4"],
    ["reason egw DROP_NO_SERVICE 0", "reason egw DROP_NO_SERVICE >=1"],
    ["epoch egw 7", "epoch egw 8"],
    ["ports egw free 5002-5004,5000", "ports egw free 5000,5002-5004"],
    ["ports egw count 4", "ports egw count 5"],
    ["ports node1 free none", "ports egw free none"],
    ["conntrack nat udp sport=6000", "conntrack nat tcp sport=6000"],
    ["conntrack nat udp count 1", "conntrack nat src=172.2.0.3 count 1"],
    ["conntrack nat tcp absent", "conntrack nat udp absent"],
    ["drops 0", "drops egw >=1"],
  ])("%s holds, %s does not", (good, bad) => {
    expect(evaluate(good)).toMatchObject({ ok: true, text: good });
    const report = evaluate(bad);
    expect(report.ok).toBe(false);
    expect(report.expected).not.toBe("");
    expect(report.actual).not.toBe("");
  });

  it("shows what is there instead", () => {
    expect(evaluate("tunnel egw 65736 remote 1.2.3.4:5").actual).toBe(
      "65736  local 172.1.0.3:5000  remote 172.1.0.5:6000",
    );
    expect(evaluate("tunnel egw 7").detail).toHaveLength(2);
    expect(evaluate("tunnel node2 7").actual).toBe("the data path was never started there");
  });

  it.each([
    ["", 1],
    ["tunel egw 1", 1],
    ["tunnel", 7],
    ["tunnel egv 1", 8],
    ["tunnel egw", 11],
    ["tunnel egw abc", 12],
    ["tunnel egw 1 remot 1.2.3.4:5", 14],
    ["tunnel egw 1 remote", 20],
    ["session egw tcp 172.1.0.2:1 > 2.2.2.2", 13],
    ["session egw", 12],
    ["table egw TUNEL 1", 11],
    ["reason egw DROP_WRONGKEY 1", 12],
    ["reason egw DROP_WRONG_KEY", 26],
    ["reason egw DROP_WRONG_KEY >=0", 27],
    ["reason egw DROP_WRONG_KEY 1 2", 29],
    ["ports egw free 5010-5000", 16],
    ["ports egw taken 1", 11],
    ["conntrack nat", 14],
    ["epoch egw x", 11],
  ])("%j is refused at column %i", (text, column) => {
    try {
      evaluate(text);
      expect.unreachable();
    } catch (err) {
      expect(err).toBeInstanceOf(LabError);
      expect((err as LabError).position?.column).toBe(column);
    }
  });

  it("writes ports as it reads them", () => {
    expect(formatPorts([5001, 5002, 5000, 7, 8, 9])).toBe("5001-5002,5000,7-9");
    expect(formatPorts([])).toBe("none");
  });
});
