/** Steps and their events: of a run by its own marks, of a capture by time. */
import { expect, it } from "vitest";
import { recordCapture } from "../../src/replay/capture.ts";
import { stepViews } from "../../src/replay/step-views.ts";
import { record, sourceOf } from "./support.ts";

it("finds the events of a capture's steps by time", async () => {
  const run = await record("basic/02-node2-behind-nat");
  const { kind, ...files } = sourceOf("basic/02-node2-behind-nat");
  expect(kind).toBe("scenario");
  const capture = await recordCapture({
    kind: "capture",
    file: "x.pcapng",
    bytes: run.pcapng(),
    scenario: files,
    report: run.report,
  });
  const [own, seen] = [run, capture].map((r) => r.info.steps.find((s) => s.command?.startsWith("client curl")));
  if (!own || !seen) throw new Error("no such step");
  expect(seen.firstEvent).toBeGreaterThanOrEqual(0);
  expect(seen.lastEvent).toBeGreaterThan(seen.firstEvent);
  for (const i of [seen.firstEvent, seen.lastEvent]) {
    const { timeNs } = capture.row(i);
    expect(timeNs).toBeGreaterThanOrEqual(own.startNs);
    expect(timeNs).toBeLessThanOrEqual(own.endNs);
  }
  // The one before belongs to an earlier step.
  expect(capture.row(seen.firstEvent - 1).timeNs).toBeLessThan(own.startNs);
  // Nothing was seen at a time when nothing was sent.
  const late = { ...own, startNs: run.info.endNs + 1, endNs: run.info.endNs + 2, steps: [] };
  expect(stepViews([late], capture.log)[0]).toMatchObject({ firstEvent: -1, lastEvent: -1 });
});
