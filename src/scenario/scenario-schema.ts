/**
 * The shape of a scenario file (zod, and by it schema/scenario.schema.json for editors).
 *
 * Commands, conditions and matchers are text to this schema; they are compiled by scenario-yaml.ts, where messages can
 * say more. `expect` items are checked there too, each against the one form that its key names.
 */
import * as z from "zod";
import { topologyRefSchema } from "./topology-schema.ts";

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const matcherSchema = z
  .union([scalar, z.array(scalar).min(1)], { error: 'expected a value, a pattern such as "/text/", or ">=1"' })
  .meta({
    id: "matcher",
    description: 'A value, "/pattern/", ">=1", "!=0", "1..5", or a list of which all must hold.',
  });
const matcher = (description: string) => matcherSchema.meta({ description }).optional();

const place = z.string().regex(/^[^\s/]+(\/[^\s/]+)?$/, { error: "expected HOST or HOST/NIC" });
const count = matcher('How many: a number, ">=1" (the default), "1..3", 0 for none.');
const since = z
  .string()
  .meta({ description: "Count from here on: start (the default), step (the last command), or a step's name." })
  .optional();

const gueSchema = z.strictObject({
  control: matcher("true for a ping"),
  version: matcher("GUE version"),
  hlen: matcher("words behind the base header: 5 for data, 6 (or 5) for a ping, 0 for plain GUE"),
  group: matcher("group id"),
  service: matcher("service id"),
  key: matcher("security field"),
  tunnel: matcher("tunnel id of a ping"),
});
const tcpSchema = z.strictObject({
  flags: matcher("SYN, SYN+ACK, ..."),
  seq: matcher("sequence number"),
  ack: matcher("acknowledgment number"),
  window: matcher("window as it stands on the wire"),
  mss: matcher("MSS option"),
});

const ipFields = {
  proto: matcher("tcp, udp, icmp, ipip, arp, or a number"),
  src: matcher("source address, or address:port"),
  dst: matcher("destination address, or address:port"),
  sport: matcher("source port"),
  dport: matcher("destination port"),
  length: matcher("IPv4 total length"),
  id: matcher("IPv4 identification"),
  ttl: matcher("time to live"),
  tos: matcher("type of service"),
  df: matcher("don't fragment"),
  fragment: matcher("true for a fragment"),
  payload: matcher("bytes behind the TCP or UDP header"),
  checksum: matcher("ok, bad, or none (a UDP checksum of 0)"),
};
const quotedSchema = z
  .strictObject(ipFields)
  .meta({ id: "quotedPacket", description: "The packet that an ICMP error is about." });
const icmpSchema = z.strictObject({
  type: matcher("ICMP type"),
  code: matcher("ICMP code"),
  mtu: matcher("next-hop MTU"),
  id: matcher("echo identifier"),
  seq: matcher("echo sequence number"),
  quoted: quotedSchema.optional(),
});
const l3 = { ...ipFields, tcp: tcpSchema.optional(), icmp: icmpSchema.optional() };
const innerSchema = z.strictObject(l3).meta({ description: "What a tunnel packet carries." });
const arpSchema = z.strictObject({
  op: matcher("request or reply"),
  sender: matcher("address"),
  target: matcher("address"),
});

const packetFields = z.strictObject({
  at: place.meta({ description: "HOST or HOST/NIC; anywhere without it." }).optional(),
  direction: z.enum(["in", "out"], { error: "expected in or out" }).optional(),
  reason: matcher("what the hook decided, such as PASS_ENCAP"),
  smac: matcher("source MAC address"),
  dmac: matcher("destination MAC address"),
  ...l3,
  gue: gueSchema.optional(),
  arp: arpSchema.optional(),
  inner: innerSchema.optional(),
});

const name = z.string().min(1).meta({ description: "Name in reports, and for since." }).optional();
export const packetExpectSchema = z
  .strictObject({
    packet: packetFields.refine((p) => Object.keys(p).length > 0, { error: "an empty packet matches every one" }),
    count,
    since,
  })
  .meta({
    id: "packetExpectation",
    description: "How many recorded packets are like this. Ingress is seen before the hook, egress after it.",
  });
export const dropExpectSchema = z
  .strictObject({
    drop: z.strictObject({
      at: place.meta({ description: "HOST or HOST/NIC; anywhere without it." }).optional(),
      where: matcher("who dropped it: tc ingress, tc egress, ip, netfilter, link, arp, udp, tcp"),
      reason: matcher("such as DROP_WRONG_KEY"),
    }),
    count,
    since,
  })
  .meta({ id: "dropExpectation", description: "How many packets were dropped, where and why." });
export const tableExpectSchema = z
  .strictObject({
    table: z.string().meta({ description: "HOST TABLE [KEY]", examples: ["egw TUNNEL 65736", "node2 SESSION"] }),
    has: z.record(z.string(), matcherSchema).meta({ description: "Fields of the entry." }).optional(),
    absent: z.literal(true).meta({ description: "There is no such entry." }).optional(),
    count,
  })
  .meta({ id: "tableExpectation", description: "An entry of a table." });
export const resultExpectSchema = z.record(z.string(), matcherSchema).meta({
  id: "resultExpectation",
  description: "What the command gives: status, body, size, sha256, sent, received, port, output, fails, time, ...",
});
const stateText = z
  .string()
  .min(1)
  .meta({ description: "State in words, such as: tunnel egw 65736 remote 172.1.0.5:6000" });

const anyExpect = z.union([stateText, packetExpectSchema, dropExpectSchema, tableExpectSchema, resultExpectSchema]);
const anyState = z.union([stateText, packetExpectSchema, dropExpectSchema, tableExpectSchema]);

/** Steps with the expectations checked by `expectItem`: precisely for editors, not at all for the reader. */
function stepSchemas(id: string, expectItem: z.ZodType, stateItem: z.ZodType) {
  const listOf = (item: z.ZodType) => z.union([item, z.array(item).min(1, { error: "the list is empty" })]);
  const doFields = {
    name,
    do: z
      .string()
      .meta({ description: "A command of the demo or of the lab.", examples: ["egw pfc_list"] })
      .optional(),
    refused: z
      .string()
      .regex(/^ERR_[A-Z0-9_]+$/, { error: "expected an error code such as ERR_ENDPOINT_IN_USE" })
      .meta({ description: "Code with which the command must be refused." })
      .optional(),
    expect: listOf(expectItem).meta({ description: "What must hold then." }).optional(),
  };
  const doLine = z.string().min(1).meta({ description: "A command." });
  const stepSchema = z.union(
    [
      doLine,
      z.strictObject({
        ...doFields,
        until: listOf(stateItem).meta({ description: "Let time pass until this holds." }).optional(),
        within: z
          .string({ error: "expected a duration with its unit, such as 5s" })
          .meta({ description: "Longest time for until (5s).", examples: ["5s"] })
          .optional(),
        wait: z
          .string({ error: "expected a duration with its unit, such as 5s" })
          .meta({ description: "Let time pass.", examples: ["5m"] })
          .optional(),
        parallel: z
          .array(z.union([doLine, z.strictObject(doFields)]))
          .min(1)
          .meta({ description: "Commands that start at the same moment." })
          .optional(),
        repeat: z.int().min(1).max(1000).meta({ description: "How often; {i}, {i+N}, {i-N} count from 1." }).optional(),
        get steps() {
          return z.array(stepSchema).min(1).meta({ description: "What to repeat." }).optional();
        },
      }),
    ],
    { error: "expected a command, or do, expect, until, wait, parallel or repeat" },
  ) as z.ZodType;
  return stepSchema.meta({ id, description: "A command, or an object." });
}

const labKind = z.enum(["sim", "netns", "docker"]);

function fileSchema(step: z.ZodType, topology: z.ZodType) {
  return z
    .strictObject({
      $schema: z.string().optional(),
      title: z.string().min(1).meta({ description: "What the scenario shows, in one line." }),
      description: z.string().meta({ description: "More about it." }).optional(),
      topology,
      seed: z.int().min(0).max(0xffffffff).meta({ description: "Seed of all random numbers (1)." }).optional(),
      labs: z.array(labKind).min(1).meta({ description: "Labs in which it makes sense (all)." }).optional(),
      sysctl: z
        .record(z.string(), z.record(z.string(), z.union([z.string(), z.number()])))
        .meta({ description: "Kernel settings by host: { nat: { net.netfilter.nf_conntrack_udp_timeout: 10 } }" })
        .optional(),
      links: z
        .record(z.string(), z.string())
        .meta({ description: "Link faults by HOST/NIC, HOST or all, as the link command takes them: { all: loss 1% }" })
        .optional(),
      steps: z.array(step).min(1, { error: "a scenario needs at least one step" }),
    })
    .meta({ title: "guelab scenario", description: "See docs/scenarios.md." });
}

/** What the reader checks a file against; `topology` and the items of `expect` and `until` have readers of their own. */
export const scenarioSchema = fileSchema(stepSchemas("stepAsRead", z.unknown(), z.unknown()), z.unknown());

/** A step as written, once the schema has let it through. */
export interface StepFile {
  name?: string;
  do?: string;
  refused?: string;
  expect?: unknown;
  until?: unknown;
  within?: string;
  wait?: string;
  parallel?: (string | StepFile)[];
  repeat?: number;
  steps?: (string | StepFile)[];
}

/** A file as written, once the schema has let it through. */
export interface ScenarioFile {
  title: string;
  description?: string;
  topology: unknown;
  seed?: number;
  labs?: ("sim" | "netns" | "docker")[];
  sysctl?: Record<string, Record<string, string | number>>;
  links?: Record<string, string>;
  steps: (string | StepFile)[];
}

/** The whole shape, for editors. */
export function scenarioJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(fileSchema(stepSchemas("step", anyExpect, anyState), topologyRefSchema), {
    io: "input",
  });
}
