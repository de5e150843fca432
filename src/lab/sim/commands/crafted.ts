/** Packets made by hand: raw frames, and GUE packets as an attacker would send them. */
import { LabError } from "../../../errors.ts";
import { ETH_HLEN } from "../../../wire/ethernet.ts";
import { bytes, endpoint, str } from "../../common/args.ts";
import { craftGue } from "../../common/crafted.ts";
import { printed } from "../../common/results.ts";
import { sendRawUdp } from "../control-host.ts";
import { type Handlers, hostOf } from "./handler.ts";

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
    const { from, payload } = craftGue(cmd, () => host.ip.sourceFor(to.ip));
    sendRawUdp(host, from.ip, from.port, to.ip, to.port, payload);
    return printed([`${payload.length} bytes of GUE sent`], { length: payload.length });
  },
};
