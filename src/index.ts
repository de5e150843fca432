/**
 * guelab as a library: everything here runs in Node and in a browser, without root and without a native package.
 *
 *     const scenario = readScenario(text, { file: "mine.yaml", loadTopology });
 *     const lab = new SimLab(scenario.topology, { seed: scenario.seed, record: true });
 *     const report = await runScenario(scenario, lab);
 */
export type { DataPath, FibHelper, FibParams, HookResult, Verdict } from "./dataplane/datapath.ts";
export { Reference } from "./dataplane/reference.ts";
export { Skb, skbFrom } from "./dataplane/skb.ts";
export { LabError, type Position } from "./errors.ts";
export { SimLab, type SimLabOptions } from "./lab/sim/lab.ts";
export { cfgTopology } from "./scenario/cfg.ts";
export type { Command } from "./scenario/command.ts";
export type { CommandResult, DropRecord, HookNote, Lab, PacketRecord } from "./scenario/lab.ts";
export { type ParseContext, parseCommand } from "./scenario/parse-command.ts";
export type { CheckReport, RunEvent, RunListener, RunReport, StepReport } from "./scenario/report-types.ts";
export { type RunOptions, runScenario } from "./scenario/runner.ts";
export type { Scenario, Step } from "./scenario/scenario.ts";
export { readScenario } from "./scenario/scenario-yaml.ts";
export type { HostDef, LinkProps, NetworkDef, Topology } from "./scenario/topology.ts";
export { REASON, REASON_NAMES, REASONS, type ReasonName } from "./tables/reasons.ts";
export { TABLE_NAMES, TABLES, type TableName } from "./tables/schema.ts";
export { createTables, type TableStores, type Tables } from "./tables/tables.ts";
export { dissect } from "./wire/dissect.ts";
export { PcapngWriter } from "./wire/pcapng.ts";
export { summary } from "./wire/summary.ts";
