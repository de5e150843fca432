/** pfc_* and port_* in the simulated lab. */
import { pfcCommands } from "../../common/pfc.ts";
import type { SimLab } from "../lab.ts";
import { type Handlers, hostOf } from "./handler.ts";

export const PFC: Handlers = pfcCommands<SimLab>(hostOf);
