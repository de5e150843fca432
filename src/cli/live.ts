/**
 * The demo's scripts as commands on a lab that stays up between them: topo_setup starts it, the others find it by its
 * socket, topo_cleanup takes it down. Names and order of the arguments are the scripts' own.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { Command, Option } from "commander";
import { LabError } from "../errors.ts";
import { topologyState } from "../lab/common/topology.ts";
import { prefixOf } from "../lab/linux/claim.ts";
import { DATA_PATH_KINDS, type DataPathKind } from "../lab/linux/data-path.ts";
import { findLab, sendCommand } from "../lab/live/client.ts";
import { LIVE_DIR, livePrefixes, logPath, privateDir } from "../lab/live/paths.ts";
import type { LiveHost, LiveStatus } from "../lab/live/protocol.ts";
import type { CommandSpec } from "../scenario/command.ts";
import { COMMANDS, findCommand } from "../scenario/commands.ts";
import { helpText } from "../scenario/help.ts";
import { loadTopology } from "../scenario/load.ts";
import { DAEMON_COMMAND, type DaemonJob, type DaemonReport } from "./live-daemon.ts";
import { hasProgram, runInHost } from "./live-exec.ts";
import { removeLeftLab } from "./open-lab.ts";

const DEFAULT_TOPOLOGY = "basic.cfg";
const PREFIX = "GUELAB_PREFIX";

/** Commands of the live lab; time passes by itself there, and `tables` is guelab's own command. */
export const LIVE_COMMANDS: readonly CommandSpec[] = COMMANDS.filter(
  (c) => c.scope === "lab" && c.name !== "wait" && c.name !== "tables",
);

/** Programs of a host that are the real ones where the host has them. */
const REAL_PROGRAMS = new Set(["curl", "ping", "ip", "iptables", "sysctl", "conntrack", "arp"]);

/** One of LIVE_COMMANDS for the command line. */
export function liveCommand(name: string): Command {
  const command = base(name);
  if (name === "topo_setup")
    return command
      .addOption(
        new Option("--lab <lab>", "what hosts are (default: docker where an image is given, else netns)").choices([
          "netns",
          "docker",
        ]),
      )
      .addOption(
        new Option("--datapath <path>", "what is at their interfaces (default: ebpf)").choices(DATA_PATH_KINDS),
      )
      .action((words: string[], options: SetupOptions) => topoSetup(words, options));
  return command.action(async (words: string[], options: PrefixOption) => {
    process.exitCode = await run(name, words, prefixFrom(options));
  });
}

export function execCommand(): Command {
  return new Command("exec")
    .description("run a command or a program inside a host of the live lab")
    .argument("<host>", "the host")
    .argument("<command...>", "pfc_start, pfc_list, ... or any program that the host has")
    .option("--prefix <name>", "which lab, where several are up")
    .passThroughOptions()
    .addHelpText("after", "\nFor example: guelab exec egw pfc_start eth1 egw 9 9 5000 5010")
    .action(async (host: string, words: string[], options: PrefixOption) => {
      process.exitCode = await exec(await findLab(prefixFrom(options)), host, words);
    });
}

interface PrefixOption {
  prefix?: string;
}
interface SetupOptions extends PrefixOption {
  lab?: "netns" | "docker";
  datapath?: DataPathKind;
}

const prefixFrom = (options: PrefixOption): string | undefined => options.prefix ?? process.env[PREFIX];

/** Name, help and the options that all have; what the words mean the lab itself says. */
function base(name: string): Command {
  const command = new Command(name)
    .argument("[words...]")
    .option("--prefix <name>", "which lab, where several are up")
    .allowUnknownOption()
    .passThroughOptions();
  command.helpInformation = () => {
    const options = command.options.map((o) => `  ${o.flags.padEnd(19)} ${o.description}`);
    return `${[...helpText(name), "", "On a live lab, in front of the arguments:", ...options].join("\n")}\n`;
  };
  return command;
}

async function run(name: string, words: string[], prefix: string | undefined): Promise<number> {
  switch (name) {
    case "topo_check":
      return topoCheck(words, prefix);
    case "topo_cleanup":
      return topoCleanup(words, prefix);
    case "cli":
      return cli(words, prefix);
    case "pktdump":
      return pktdump(words, prefix);
    default:
      return forward((await findLab(prefix)).prefix, [name, ...words]);
  }
}

/** Prints what the lab answers. */
async function forward(prefix: string, words: string[]): Promise<number> {
  const { exit, text } = await sendCommand(prefix, words);
  (exit === 2 ? process.stderr : process.stdout).write(text);
  return exit;
}

/** Starts the process that has the lab, and waits until the lab is up or says why it is not. */
async function topoSetup(words: string[], options: SetupOptions): Promise<void> {
  const [config = DEFAULT_TOPOLOGY, image] = positional("topo_setup", words, 2);
  const prefix = prefixFrom(options) ?? prefixOf(loadTopology(config).name);
  const lab = options.lab ?? (image === undefined ? "netns" : "docker");
  const job: DaemonJob = { config, image, prefix, lab, dataPath: options.datapath };
  privateDir(LIVE_DIR);
  const log = openSync(logPath(prefix), "a", 0o600);
  const child = spawn(process.execPath, [process.argv[1], DAEMON_COMMAND, JSON.stringify(job)], {
    detached: true,
    stdio: ["ignore", log, log, "ipc"],
  });
  closeSync(log);
  const report = await new Promise<DaemonReport>((resolve, reject) => {
    child.once("message", (message) => resolve(message as DaemonReport));
    child.once("error", reject);
    child.once("exit", () =>
      reject(
        new LabError("ERR_LAB_DOWN", "the lab's process ended before the lab was up", {
          hint: `See ${logPath(prefix)}.`,
        }),
      ),
    );
  });
  child.unref();
  if (child.connected) child.disconnect();
  if (!report.ok) throw new LabError(report.code, report.message, report);
  for (const line of report.output) console.log(line);
}

async function topoCheck(words: string[], prefix: string | undefined): Promise<number> {
  const [config] = positional("topo_check", words, 1);
  const topology = config === undefined ? undefined : loadTopology(config);
  const wanted = prefix ?? (topology && prefixOf(topology.name));
  if (wanted === undefined || livePrefixes().includes(wanted))
    return forward((await findLab(wanted)).prefix, ["topo_check", ...words]);
  for (const line of topologyState(topology ?? loadTopology(DEFAULT_TOPOLOGY), false).output) console.log(line);
  return 0;
}

/** Also of a lab whose process was killed. */
async function topoCleanup(words: string[], prefix: string | undefined): Promise<number> {
  const [config] = positional("topo_cleanup", words, 2);
  const wanted = prefix ?? (config === undefined ? undefined : prefixOf(loadTopology(config).name));
  let found: LiveStatus;
  try {
    found = await findLab(wanted);
  } catch (err) {
    if (!(err instanceof LabError) || err.code !== "ERR_LAB_DOWN" || wanted === undefined) throw err;
    if (!(await removeLeftLab(wanted))) throw err;
    console.log(`removed what a lab '${wanted}' that did not end by itself had left`);
    return 0;
  }
  return forward(found.prefix, ["topo_cleanup", ...(config === undefined ? [] : [config])]);
}

/** A shell in a host, with the demo's names on its PATH; or one command there. */
async function cli(words: string[], prefix: string | undefined): Promise<number> {
  const [host, ...rest] = words;
  const lab = await findLab(prefix);
  if (rest.length > 0) return exec(lab, host, rest);
  return runInHost(lab, hostOf(lab, host), ["bash", "--norc"], { shell: true });
}

async function exec(lab: LiveStatus, host: string, words: string[]): Promise<number> {
  const at = hostOf(lab, host);
  const spec = findCommand(words[0]);
  if (spec?.scope === "host" && !REAL_PROGRAMS.has(spec.name)) return forward(lab.prefix, ["exec", host, ...words]);
  // A machine without, say, ping has the lab's own.
  if (spec?.scope === "host" && !hasProgram(at, words[0])) return forward(lab.prefix, ["exec", host, ...words]);
  return runInHost(lab, at, words, {});
}

/** tcpdump on an interface until it is stopped. */
async function pktdump(words: string[], prefix: string | undefined): Promise<number> {
  const lab = await findLab(prefix);
  const count = words[0] === "-c" ? words.splice(0, 2)[1] : undefined;
  const [host, nic, ...filter] = words;
  const at = hostOf(lab, host);
  if (!at.nics.includes(nic))
    throw new LabError("ERR_NIC_UNKNOWN", `${host} has no interface ${nic ?? "(none given)"}`, {
      hint: `Its interfaces are ${at.nics.join(", ")}.`,
    });
  const limit = count === undefined ? [] : ["-c", count];
  return runInHost(lab, at, ["tcpdump", "-nvvvXXes", "0", "-l", "-i", nic, ...limit, "--", filter.join(" ")], {});
}

function hostOf(lab: LiveStatus, name: string | undefined): LiveHost {
  const found = lab.hosts.find((h) => h.name === name);
  if (found) return found;
  throw new LabError("ERR_HOST_UNKNOWN", name === undefined ? "a host is missing" : `there is no host ${name}`, {
    hint: `Hosts: ${lab.hosts.map((h) => h.name).join(", ")}.`,
  });
}

function positional(name: string, words: string[], most: number): string[] {
  if (words.length <= most) return words;
  throw new LabError("ERR_TOO_MANY_ARGUMENTS", `${name} does not take "${words[most]}"`, {
    hint: `guelab ${name} --help`,
  });
}
