/** In a report: points out when this page's run of the sources came to something else than what the report says. */
import { useMemo } from "preact/hooks";
import { reportDifference } from "../../../src/replay/document.ts";
import { reportDocument } from "../report.ts";
import * as store from "../store.ts";

export function SameRun() {
  const report = reportDocument.value;
  const source = store.source.value;
  const here = store.info.value?.report;
  const found = useMemo(() => {
    const entry = report?.entries.find((e) => e.source === source);
    if (entry?.source.kind !== "scenario" || !entry.report || !here) return undefined;
    return reportDifference(entry.report, here);
  }, [report, source, here]);
  if (found === undefined) return null;
  return (
    <p class="banner warn" role="alert" data-testid="disagrees">
      This run came to something else than the one that guelab {report?.version} reported: <code>{found}</code>
    </p>
  );
}
