/** Captures of real hosts in tshark with our dissector. */
import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { expect } from "vitest";
import { DATA_PATH_KINDS } from "../../src/lab/linux/data-path.ts";
import { openNetnsLab } from "../../src/lab/netns/lab.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { runScenario } from "../../src/scenario/runner.ts";
import { expectDissected } from "../support/dissector.ts";
import { itWith } from "../support/tools.ts";
import { describeNetns } from "./require.ts";

const prefix = `w${randomBytes(3).toString("hex")}`;
const file = resolve(import.meta.dirname, "../../scenarios/basic/02-node2-behind-nat.yaml");

describeNetns("the dissector on captures of netns", () => {
  for (const dataPath of DATA_PATH_KINDS)
    itWith("tshark", `with the data path ${dataPath}`, async () => {
      const scenario = loadScenario(file);
      const lab = await openNetnsLab(scenario.topology, { prefix, record: true, dataPath });
      try {
        expect((await runScenario(scenario, lab)).status).toBe("passed");
        expectDissected(lab);
      } finally {
        await lab.close();
      }
    });
});
