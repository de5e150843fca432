/** Packets made by hand: raw frames, and GUE packets as an attacker would send them. */
import { LabError } from "../../../errors.ts";
import { rd32, wr32 } from "../../../wire/bytes.ts";
import { ETH_HLEN } from "../../../wire/ethernet.ts";
import {
  GUE_BASE_HLEN,
  GUE_DATA_HLEN,
  GUE_KEY_LEN,
  GUE_PING_LEN,
  GUE_PORT,
  writeGueData,
  writeGuePing,
} from "../../../wire/gue.ts";
import { bytes, endpoint, optBytes, optEndpoint, optNum, str } from "../../common/args.ts";
import { sendRawUdp } from "../control-host.ts";
import { type Handlers, hostOf, printed } from "./handler.ts";

/** The older ping: Hlen 5, without a tunnel id. */
const OLD_PING_WORD = 0x2501a000;

export const CRAFTED: Handlers = {
  send(lab, cmd) {
    const { host } = hostOf(lab, cmd);
    const frame = bytes(cmd, "frame");
    const nic = host.nic(str(cmd, "nic"));
    if (nic === undefined)
      throw new LabError("ERR_NIC_UNKNOWN", `${host.name} has no interface ${str(cmd, "nic")}`, {
        hint: `Its interfaces are ${host.nics.map((n) => n.name).join(", ")}.`,
      });
    if (frame.length < ETH_HLEN)
      throw new LabError("ERR_FRAME", `the frame is ${frame.length} bytes long, expected at least ${ETH_HLEN}`);
    const skb = host.env.pool.get(frame.length);
    skb.buf.set(frame, skb.head);
    nic.transmit(skb);
    return printed([`${frame.length} bytes sent`], { length: frame.length });
  },

  send_gue(lab, cmd) {
    const { host } = hostOf(lab, cmd);
    const to = endpoint(cmd, "to");
    const from = optEndpoint(cmd, "from") ?? { ip: host.ip.sourceFor(to.ip), port: GUE_PORT };
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
    const cut = payload.subarray(0, optNum(cmd, "truncate") ?? payload.length);
    sendRawUdp(host, from.ip, from.port, to.ip, to.port, cut);
    return printed([`${cut.length} bytes of GUE sent`], { length: cut.length });
  },
};
