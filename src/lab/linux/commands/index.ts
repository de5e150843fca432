/** What every command does in the netns lab, by name. */

import { guePingCommands } from "../../common/gue-ping.ts";
import { linuxPathCommands } from "../../common/linux-path.ts";
import { pfcCommands } from "../../common/pfc.ts";
import type { LinuxLab } from "../lab.ts";
import { sourceFor } from "../sys.ts";
import { CRAFTED } from "./crafted.ts";
import { type Handlers, hostOf } from "./handler.ts";
import { HOST } from "./host.ts";
import { linuxPathHost } from "./linux-path.ts";
import { REQUESTS } from "./requests.ts";
import { SERVICES } from "./services.ts";
import { TOPOLOGY } from "./topology.ts";

export const HANDLERS: Handlers = {
  ...TOPOLOGY,
  ...SERVICES,
  ...pfcCommands<LinuxLab>(hostOf),
  ...guePingCommands<LinuxLab>((lab, name) => {
    const { ns, port, guePings } = lab.host(name);
    return {
      name,
      guePings,
      sourceFor: (daddr) => ns.enter(() => sourceFor(daddr)),
      sendUdp: (...packet) => port.sendUdp(...packet),
      every: (intervalNs, fn) => port.every(intervalNs, fn),
    };
  }),
  ...linuxPathCommands<LinuxLab>((lab, name) => linuxPathHost(lab.host(name))),
  ...REQUESTS,
  ...HOST,
  ...CRAFTED,
};
