/** Packets made by hand: raw frames, and GUE packets as an attacker would send them. */
import { LabError } from "../../../errors.ts";
import { ETH_HLEN } from "../../../wire/ethernet.ts";
import { bytes, endpoint, str } from "../../common/args.ts";
import { craftGue } from "../../common/crafted.ts";
import { unknownNic } from "../../common/host.ts";
import { printed } from "../../common/results.ts";
import { sendFrame, sourceFor } from "../sys.ts";
import { type Handlers, hostOf } from "./handler.ts";

export const CRAFTED: Handlers = {
  send(lab, cmd) {
    const node = hostOf(lab, cmd);
    const frame = bytes(cmd, "frame");
    const nic = str(cmd, "nic");
    if (!node.def.nics.some((n) => n.name === nic)) throw unknownNic(node.def, nic);
    if (frame.length < ETH_HLEN)
      throw new LabError("ERR_FRAME", `the frame is ${frame.length} bytes long, expected at least ${ETH_HLEN}`);
    node.ns.enter(() => sendFrame(nic, frame));
    lab.notePacket({ host: node.def.name, nic, direction: "out", frame });
    return printed([`${frame.length} bytes sent`], { length: frame.length });
  },

  send_gue(lab, cmd) {
    const node = hostOf(lab, cmd);
    const to = endpoint(cmd, "to");
    const { from, payload } = craftGue(cmd, () => node.ns.enter(() => sourceFor(to.ip)));
    node.port.sendUdp(from.ip, from.port, to.ip, to.port, payload);
    return printed([`${payload.length} bytes of GUE sent`], { length: payload.length });
  },
};
