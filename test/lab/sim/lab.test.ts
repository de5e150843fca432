/** The simulated lab's time: what `until` waits for need not come with a packet. */
import { expect, test } from "vitest";
import { SimLab } from "../../../src/lab/sim/lab.ts";
import { parseCommand } from "../../../src/scenario/parse-command.ts";
import { basicTopology } from "../../support/fake-lab.ts";

const SEC = 1_000_000_000;

test("until sees what time alone changes, soon after it does", async () => {
  const lab = new SimLab(basicTopology());
  const run = (line: string) => lab.run(parseCommand(line));
  await run("nat sysctl -w net.netfilter.nf_conntrack_udp_timeout=2");
  await run("node2 udp --no-reply 172.1.0.3 4000 10");
  await lab.wait(SEC / 10);
  const start = lab.now();
  const forgotten = () => !lab.conntrack("nat").some((line) => line.startsWith("udp"));
  expect(forgotten()).toBe(false);
  expect(await lab.until(forgotten, SEC)).toBe(false);
  expect(lab.now()).toBe(start + SEC);
  expect(await lab.until(forgotten, 5 * SEC)).toBe(true);
  expect((lab.now() - start) / SEC).toBeCloseTo(1.9, 1);
  await lab.close();
});
