/** What runs on the hosts at a moment, as the lab itself says it. */
import { expect, it } from "vitest";
import { recordScenario } from "../../src/replay/record.ts";
import type { Recording } from "../../src/replay/recording.ts";
import { sourceOf } from "./support.ts";

const of = (recording: Recording, host: string, index: number) =>
  recording.state(index).find((s) => s.host === host)?.running;

it("knows services and pings from the moment in which a command started them, to the one in which it stopped them", async () => {
  const source = sourceOf("basic/02-node2-behind-nat");
  const text = `${source.text.trimEnd()}\n  - do: http_stop node2 2.2.2.2 4000\n  - do: node2 pfc_stop eth1\n`;
  const recording = await recordScenario({ ...source, text });
  const { steps } = recording.info;
  const end = (command: string): number => {
    const step = steps.find((s) => s.command?.startsWith(command));
    if (!step) throw new Error(`no step ${command}`);
    return step.lastEvent;
  };
  const nothing = { services: [], linuxTunnels: [] };
  expect(of(recording, "node2", 0)).toEqual(nothing);
  expect(of(recording, "node2", end("http_start"))).toEqual({ services: ["tcp 2.2.2.2:4000"], linuxTunnels: [] });
  expect(of(recording, "node2", end("node2 pfc_start") - 1)).toEqual(of(recording, "node2", end("http_start")));
  expect(of(recording, "node2", end("node2 pfc_start"))?.pingSeconds).toBe(10);
  expect(of(recording, "egw", end("node2 pfc_start"))?.pingSeconds).toBe(0);
  expect(of(recording, "client", end("node2 pfc_start"))).toEqual(nothing);
  expect(of(recording, "node2", end("http_stop"))).toEqual({ services: [], linuxTunnels: [], pingSeconds: 10 });
  expect(of(recording, "node2", recording.length - 1)).toEqual(nothing);
});

it("knows the Linux-only tunnels", async () => {
  const recording = await recordScenario(sourceOf("lessons/09-linux-tunnel"));
  const { linuxTunnels } = of(recording, "egw", recording.length - 1) ?? {};
  expect(linuxTunnels?.length).toBeGreaterThan(0);
});
