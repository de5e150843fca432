/**
 * The shape of a topology that is written inside a YAML scenario (zod, and by it the JSON schema that editors use).
 *
 * Units, names and addresses are checked when the topology is built, where messages can say more; the patterns here are
 * for editors.
 */
import * as z from "zod";

// A file is checked once: compiling a checker for it costs more than the checker saves (9 of 136 ms of a whole run), and a
// web page may forbid `new Function`.
z.config({ jitless: true });

const duration = (description: string) =>
  z
    .union([z.string(), z.number()], { error: "expected a duration such as 10ms" })
    .meta({ description, examples: ["10ms", "250us", "1.5s"] });

const probability = (description: string) =>
  z
    .union([z.string(), z.number()], { error: "expected a probability such as 1% or 0.01" })
    .meta({ description, examples: ["1%", 0.01] });

/** Limits and faults of a link; what is left out keeps its value. */
export const linkSchema = z
  .strictObject({
    delay: duration("One-way propagation delay.").optional(),
    jitter: duration("Extra delay of each frame, uniform from 0 to this; frames keep their order.").optional(),
    rate: z
      .union([z.string(), z.number()], { error: "expected a rate such as 100mbit" })
      .meta({ description: "Bits per second; 0 or unlimited for no limit.", examples: ["100mbit", "1gbit"] })
      .optional(),
    queue: z
      .int({ error: "expected a number of frames, 1 to 1000000" })
      .min(1)
      .max(1_000_000)
      .meta({ description: "Frames that wait for the line; more are dropped at the tail." })
      .optional(),
    loss: probability("Chance that a frame is lost.").optional(),
    duplicate: probability("Chance that a frame arrives twice.").optional(),
    reorder: probability("Chance that a frame is held back and overtaken.").optional(),
    reorder_delay: duration("How long a reordered frame is held back.").optional(),
    corrupt: probability("Chance that one bit of a frame is flipped.").optional(),
  })
  .meta({ description: "Limits and faults of a link, alike in both directions." });

const roleSchema = z.enum(["client", "proxy", "server", "nat"], { error: "expected client, proxy, server or nat" });

const hostSchema = z
  .union(
    [
      roleSchema,
      z.strictObject({
        role: roleSchema,
        ip: z
          .string()
          .meta({ description: "A proxy's public address.", examples: ["5.5.5.5"] })
          .optional(),
        behind: z
          .string()
          .meta({
            description:
              "The NAT behind which it sits; a server finds it by itself where it shares a network with one.",
          })
          .optional(),
      }),
    ],
    { error: "expected client, proxy, server or nat, or an object with a role" },
  )
  .meta({ description: "A host's role, or an object with its role and more." });

const networkSchema = z.strictObject({
  subnet: z
    .string()
    .meta({ description: "Base address and prefix length; .1 is the gateway.", examples: ["172.1.0.0/16"] }),
  members: z
    .array(z.string())
    .meta({ description: "Hosts, in the order in which addresses are handed out, from .2 on." }),
  link: linkSchema.optional(),
});

const count = (max: number, description: string) =>
  z
    .int({ error: `expected a whole number from 0 to ${max}` })
    .min(0)
    .max(max)
    .meta({ description })
    .optional();

/** Counts of a large topology that is made, not written. */
export const generateSchema = z
  .strictObject({
    clients: count(1000, "Clients on the public network (1)."),
    proxies: count(100, "Proxies: egw 5.5.5.5, or egw1 5.5.5.5, egw2 6.6.6.6 and so on (1)."),
    nodes: count(10_000, "Nodes on the public network (1)."),
    nats: count(254, "NATs, each with a network of its own (1)."),
    nodes_per_nat: count(1000, "Nodes behind each NAT (1)."),
  })
  .meta({ description: "A topology by numbers: public network 172.1.0.0/16, behind NAT k 172.(1+k).0.0/16." });

/** A scenario's inline topology. Exactly one of `extends`, `generate` and `networks` says where the hosts come from. */
export const topologySchema = z
  .strictObject({
    name: z.string().meta({ description: "Name of the topology (lab)." }).optional(),
    extends: z
      .string()
      .meta({ description: "A topology file to start from.", examples: ["basic.cfg"] })
      .optional(),
    generate: generateSchema.optional(),
    networks: z
      .record(z.string(), networkSchema)
      .meta({ description: "Networks by name; the first one is the public network." })
      .optional(),
    hosts: z.record(z.string(), hostSchema).meta({ description: "Hosts by name." }).optional(),
    links: z
      .record(z.string(), linkSchema)
      .meta({
        description: "Changes by network (basic-public), NIC (node2/eth1), or * for every link; the last one wins.",
      })
      .optional(),
  })
  .meta({ description: "A topology: extends a file, or is generated, or is written out as networks and hosts." });

/** What a scenario's `topology:` may be: a file name, or an inline topology. */
export const topologyRefSchema = z.union([z.string(), topologySchema]);

export type InlineTopology = z.infer<typeof topologySchema>;
export type InlineLink = z.infer<typeof linkSchema>;
export type GenerateSpec = z.infer<typeof generateSchema>;
