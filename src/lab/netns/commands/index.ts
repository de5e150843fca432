/** What every command does in the netns lab, by name. */
import { pfcCommands } from "../../common/pfc.ts";
import type { NetnsLab } from "../lab.ts";
import { CRAFTED } from "./crafted.ts";
import { type Handlers, hostOf } from "./handler.ts";
import { HOST } from "./host.ts";
import { REQUESTS } from "./requests.ts";
import { SERVICES } from "./services.ts";
import { TOPOLOGY } from "./topology.ts";

export const HANDLERS: Handlers = {
  ...TOPOLOGY,
  ...SERVICES,
  ...pfcCommands<NetnsLab>(hostOf),
  ...REQUESTS,
  ...HOST,
  ...CRAFTED,
};
