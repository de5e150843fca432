/** Tables at any event of a run of 100,000 packets, against a second run that stops there and is asked itself. */
import { expect, it } from "vitest";
import { listFlows } from "../../src/dataplane/conntrack-list.ts";
import { SimLab } from "../../src/lab/sim/lab.ts";
import { EventLog } from "../../src/replay/event-log.ts";
import { Journal } from "../../src/replay/journal.ts";
import { readSource, recordScenario } from "../../src/replay/record.ts";
import { SimRecorder } from "../../src/replay/recorder.ts";
import type { StateView } from "../../src/replay/types.ts";
import { runScenario } from "../../src/scenario/runner.ts";
import { tableRows } from "../../src/scenario/table-rows.ts";
import { TABLE_NAMES } from "../../src/tables/schema.ts";
import { formatIpv4, IPPROTO_ICMP, IPPROTO_UDP } from "../../src/wire/ipv4.ts";
import { bigSource, sourceOf } from "./support.ts";

/** Tables as rows; of a flow its original tuple's addresses, state and seconds left, in any order. */
const tablesOf = (states: readonly StateView[]) =>
  states.flatMap(({ host, tables }) =>
    tables
      .filter((t) => t.rows.length > 0)
      .map((t) => {
        if (t.name !== "conntrack") return [host, t.name, t.rows.map((r) => [r.key, ...r.cells])];
        const at = (row: (typeof t.rows)[0], column: string): string => row.cells[t.columns.indexOf(column)];
        return [host, t.name, t.rows.map((r) => [r.key, at(r, "state"), at(r, "timeout")].join(" ")).sort()];
      }),
  );

it("are those of a run that stops there", { timeout: 120_000 }, async () => {
  const source = bigSource();
  const recording = await recordScenario(source);
  expect(recording.info.packets).toBeGreaterThan(100_000);
  const hooks = recording.events("kind==hook");
  const picked = [0, 7, hooks.length >> 2, hooks.length >> 1, hooks.length - 1].map((n) => hooks[n]);

  // The second run: the same lab, looked at by its own tables in the moment when the event has been written.
  const scenario = readSource(source);
  const log = new EventLog();
  const recorder = new SimRecorder(log, new Journal());
  const lab = new SimLab(scenario.topology, { seed: scenario.seed, watch: recorder });
  const seen = new Map<number, unknown>();
  const push = log.push.bind(log);
  log.push = (e) => {
    const index = push(e);
    if (picked.includes(index)) seen.set(index, live(lab));
    return index;
  };
  await runScenario(scenario, lab, recorder.onRun);
  await lab.close();

  for (const index of picked) expect(tablesOf(recording.state(index)), `event ${index}`).toEqual(seen.get(index));
  // And in any order: the journal has no memory of where one was.
  for (const index of [...picked].reverse()) expect(tablesOf(recording.state(index))).toEqual(seen.get(index));
});

/** Every table with rows, and the live flows, as the recording shows them. */
function live(lab: SimLab): unknown {
  return lab.topology.hosts.flatMap(({ name }) => {
    const { tables, host } = lab.host(name);
    const rows = TABLE_NAMES.flatMap((table) => {
      const found = tableRows(tables[table]);
      return found.length === 0 ? [] : [[name, table, found.map((r) => [r.key, ...Object.values(r.fields)])]];
    });
    const flows = listFlows(host.netfilter.conntrack, lab.now()).map(({ original: o, proto, state, timeout }) => {
      const ends =
        proto === IPPROTO_ICMP
          ? `icmp ${formatIpv4(o.src)} > ${formatIpv4(o.dst)} id ${o.sport}`
          : `${proto === IPPROTO_UDP ? "udp" : "tcp"} ${formatIpv4(o.src)}:${o.sport} > ${formatIpv4(o.dst)}:${o.dport}`;
      return `${ends} ${state} ${timeout}`;
    });
    return flows.length === 0 ? rows : [...rows, [name, "conntrack", flows.sort()]];
  });
}

it("show conntrack as conntrack -L does, and what has run out is gone", async () => {
  const recording = await recordScenario(sourceOf("gue/03-mapping-expires"));
  const flows = (index: number): string[] =>
    recording
      .state(index, "nat")
      .flatMap((s) => s.tables.filter((t) => t.name === "conntrack").flatMap((t) => t.rows.map((r) => r.key)));
  const [ping] = recording.events("kind==nat && proto==ping");
  expect(flows(ping)).toContain("udp 172.2.0.3:6000 > 172.1.0.3:5000");
  const end = recording.events("kind==step").find((i) => recording.row(i).summary.includes("sport=6000 absent"));
  expect(end).toBeDefined();
  expect(flows(recording.step("9")?.lastEvent as number)).not.toContain("udp 172.2.0.3:6000 > 172.1.0.3:5000");
});

it("mark what an event made, changed and removed", async () => {
  const recording = await recordScenario(sourceOf("session/01-two-sessions-expire"));
  const learned = recording
    .events("kind==hook && changes>0")
    .find((i) => recording.event(i).rows[0].table === "SESSION") as number;
  const host = recording.row(learned).host;
  const table = (index: number) => recording.state(index, host)[0].tables.find((t) => t.name === "SESSION");
  expect(table(learned)?.rows.filter((r) => r.mark === "new")).toHaveLength(1);
  expect(table(learned + 1)?.rows.every((r) => r.mark === "")).toBe(true);
  const gone = recording
    .events("kind==control")
    .findLast((i) => recording.event(i).rows.some((r) => r.table === "SESSION" && r.after === undefined));
  expect(table(gone as number)?.removed.length).toBeGreaterThan(0);
});
