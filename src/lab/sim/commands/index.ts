/** What every command does in the simulated lab, by name. */
import { CRAFTED } from "./crafted.ts";
import type { Handlers } from "./handler.ts";
import { HOST } from "./host.ts";
import { LINUX } from "./linux.ts";
import { PFC } from "./pfc.ts";
import { REQUESTS } from "./requests.ts";
import { SERVICES } from "./services.ts";
import { TOPOLOGY } from "./topology.ts";

export const HANDLERS: Handlers = {
  ...TOPOLOGY,
  ...SERVICES,
  ...PFC,
  ...LINUX,
  ...REQUESTS,
  ...HOST,
  ...CRAFTED,
};
