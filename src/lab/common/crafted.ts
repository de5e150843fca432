/** GUE packets as an attacker would send them: the payload of send_gue. */
import { LabError } from "../../errors.ts";
import type { Command, EndpointArg } from "../../scenario/command.ts";
import { rd32, wr32 } from "../../wire/bytes.ts";
import {
  GUE_BASE_HLEN,
  GUE_DATA_HLEN,
  GUE_KEY_LEN,
  GUE_PING_LEN,
  GUE_PORT,
  writeGueData,
  writeGuePing,
} from "../../wire/gue.ts";
import { optBytes, optEndpoint, optNum, str } from "./args.ts";

/** The older ping: Hlen 5, without a tunnel id. */
const OLD_PING_WORD = 0x2501a000;

/** The outer source and the UDP payload; `source` gives the host's own address towards the destination. Throws ERR_FRAME. */
export function craftGue(cmd: Command, source: () => number): { from: EndpointArg; payload: Uint8Array } {
  const from = optEndpoint(cmd, "from") ?? { ip: source(), port: GUE_PORT };
  const group = optNum(cmd, "group") ?? 0;
  const service = optNum(cmd, "service") ?? 0;
  const key = optBytes(cmd, "key") ?? new Uint8Array(GUE_KEY_LEN);
  const tunnel = optNum(cmd, "tunnel");
  let payload: Uint8Array;
  if (str(cmd, "kind") === "ping") {
    payload = new Uint8Array(tunnel === undefined ? GUE_PING_LEN - 4 : GUE_PING_LEN);
    if (tunnel !== undefined) writeGuePing(payload, 0, group, service, key, tunnel);
    else {
      writeGueData(payload, 0, group, service, key);
      wr32(payload, 0, OLD_PING_WORD);
    }
  } else {
    const inner = optBytes(cmd, "inner") ?? new Uint8Array(0);
    payload = new Uint8Array(GUE_DATA_HLEN + inner.length);
    writeGueData(payload, 0, group, service, key);
    payload.set(inner, GUE_DATA_HLEN);
  }
  const header = optBytes(cmd, "header");
  if (header !== undefined) {
    if (header.length !== GUE_BASE_HLEN)
      throw new LabError("ERR_FRAME", `--header has ${header.length} bytes, expected ${GUE_BASE_HLEN}`);
    wr32(payload, 0, rd32(header, 0));
  }
  payload = payload.subarray(0, optNum(cmd, "truncate") ?? payload.length);
  return { from, payload };
}
