/** What tshark with wireshark/gue_ti.lua says of a capture of the node2 scenario, of whatever lab. */
import { resolve } from "node:path";
import { expect } from "vitest";
import { captureBytes } from "../../src/report/capture.ts";
import type { Lab } from "../../src/scenario/lab.ts";
import { tshark, withFile } from "./tools.ts";

const LUA = resolve(import.meta.dirname, "../../wireshark/gue_ti.lua");

/**
 * Group, service, key and tunnel id are fields, a filter finds the packets by them, and what is not of the tunnel is not found.
 * The lab has run scenarios/basic/02-node2-behind-nat.yaml.
 */
export function expectDissected(lab: Lab): void {
  const rows = (filter: string): string[] =>
    withFile("lab.pcapng", captureBytes(lab.packets(), lab.topology), (path) => {
      const names = ["group", "service", "key", "tunnel"].flatMap((n) => ["-e", `gue_ti.${n}`]);
      const { out, err } = tshark(path, ["-X", `lua_script:${LUA}`, "-Y", filter, "-T", "fields", ...names]);
      expect(err).toBe("");
      return out.split("\n").filter((l) => l !== "");
    });
  const key = Buffer.from("5erv1ceP@55w0rd!").toString("hex");
  const found = rows("gue_ti.service == 200");
  expect(found.length).toBeGreaterThan(10);
  for (const line of found) expect(line.split("\t").slice(0, 3)).toEqual(["1", "200", key]);
  expect(rows("gue_ti.tunnel == 65736").length).toBeGreaterThan(0);
  expect(rows('gue_ti.control == 0 && gue_ti.service == 200 && http.request.uri == "/hello"').length).toBeGreaterThan(
    0,
  );
  expect(rows("gue_ti.service == 201")).toEqual([]);
}
