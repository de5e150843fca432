/**
 * Topologies inside a YAML scenario: a file with changed links, a generated one, or one that is written out.
 *
 * The YAML reader gives the plain value and says where each key stands; see topology-schema.ts for the shape.
 */
import type { Position } from "../errors.ts";
import { type Path, type PositionOf, schemaError } from "./schema-error.ts";
import type { LinkProps, Topology } from "./topology.ts";
import { buildTopology, overrideLinks } from "./topology-build.ts";
import { topologyError } from "./topology-check.ts";
import { generateRaw } from "./topology-generate.ts";
import type {
  RawHost,
  RawLinkOverride,
  RawNatGroup,
  RawNetwork,
  RawProxyIp,
  RawTopology,
  RawWord,
} from "./topology-raw.ts";
import { type InlineLink, type InlineTopology, topologySchema } from "./topology-schema.ts";
import { parseDuration, parsePercent, parseRate } from "./units.ts";

const DEFAULT_NAME = "lab";

export interface InlineContext {
  positionOf: PositionOf;
  /** Path of the topology within the file, such as `["topology"]`. */
  root?: Path;
  /** Loads the file that a topology extends, or that a scenario names. */
  load: (name: string, position: Position) => Topology;
}

/** The topology that a scenario's `topology:` describes: a file's name or an object. Throws LabError (ERR_TOPOLOGY_..., ERR_BAD_VALUE). */
export function parseInlineTopology(value: unknown, ctx: InlineContext): Topology {
  const root = ctx.root ?? [];
  if (typeof value === "string") return ctx.load(value, ctx.positionOf(root));
  const parsed = topologySchema.safeParse(value);
  if (!parsed.success) {
    const doc = "docs/topologies.md";
    throw schemaError("ERR_TOPOLOGY_SYNTAX", topologySchema, parsed.error, ctx.positionOf, root, doc);
  }
  return new Inline(parsed.data, ctx, root).build();
}

/** Reads link properties as written; what is left out is left out. */
function parseLinkProps(link: InlineLink, positionOf: PositionOf, path: Path): Partial<LinkProps> {
  const props: Partial<LinkProps> = {};
  const at = (key: string): Position => positionOf([...path, key]);
  if (link.delay !== undefined) props.delayNs = parseDuration(String(link.delay), at("delay"));
  if (link.jitter !== undefined) props.jitterNs = parseDuration(String(link.jitter), at("jitter"));
  if (link.rate !== undefined) props.rateBps = parseRate(String(link.rate), at("rate"));
  if (link.queue !== undefined) props.queue = link.queue;
  if (link.loss !== undefined) props.loss = parsePercent(link.loss, at("loss"));
  if (link.duplicate !== undefined) props.duplicate = parsePercent(link.duplicate, at("duplicate"));
  if (link.reorder !== undefined) props.reorder = parsePercent(link.reorder, at("reorder"));
  if (link.reorder_delay !== undefined)
    props.reorderDelayNs = parseDuration(String(link.reorder_delay), at("reorder_delay"));
  if (link.corrupt !== undefined) props.corrupt = parsePercent(link.corrupt, at("corrupt"));
  return props;
}

class Inline {
  private readonly spec: InlineTopology;
  private readonly ctx: InlineContext;
  private readonly root: Path;

  constructor(spec: InlineTopology, ctx: InlineContext, root: Path) {
    this.spec = spec;
    this.ctx = ctx;
    this.root = root;
  }

  build(): Topology {
    const { spec } = this;
    const given = (["extends", "generate", "networks"] as const).filter((k) => spec[k] !== undefined);
    if (given.length !== 1 || (spec.hosts !== undefined && spec.networks === undefined)) {
      const extra = spec.hosts !== undefined && spec.networks === undefined ? "hosts" : given[1];
      const message =
        given.length === 0
          ? "the topology says nothing about its networks"
          : `${given[0]} and ${extra} exclude each other`;
      throw topologyError(
        "SYNTAX",
        message,
        this.at(...(extra ? [extra] : [])),
        "Write extends, or generate, or networks and hosts.",
      );
    }
    if (spec.extends !== undefined) return this.extended(spec.extends);
    const name = spec.name === undefined ? this.word(DEFAULT_NAME) : this.word(spec.name, "name");
    const raw = spec.generate ? generateRaw(spec.generate, name, this.at("generate")) : this.written(name);
    raw.links.push(...this.links());
    return buildTopology(raw);
  }

  private extended(file: string): Topology {
    if (this.spec.name !== undefined) {
      throw topologyError(
        "SYNTAX",
        "extends and name exclude each other",
        this.at("name"),
        "The file names the topology.",
      );
    }
    const topology = structuredClone(this.ctx.load(file, this.at("extends")));
    overrideLinks(topology, this.links());
    return topology;
  }

  private written(name: RawWord): RawTopology {
    const hosts: RawHost[] = [];
    const proxyIps: RawProxyIp[] = [];
    const behind: RawNatGroup[] = [];
    for (const [key, value] of Object.entries(this.spec.hosts ?? {})) {
      const host = typeof value === "string" ? { role: value } : value;
      const word = this.word(key, "hosts", key);
      hosts.push({ name: word, role: host.role });
      if (host.ip !== undefined) {
        const ip = this.word(host.ip, "hosts", key, "ip");
        if (host.role !== "proxy") {
          throw topologyError(
            "PROXY_IP",
            `'${key}' is no proxy and has no public address`,
            ip.position,
            "Remove its ip.",
          );
        }
        proxyIps.push({ proxy: word, ip });
      }
      if (host.behind !== undefined) {
        const nat = this.word(host.behind, "hosts", key, "behind");
        behind.push({ nat, hosts: [{ text: key, position: nat.position }] });
      }
    }
    const networks: RawNetwork[] = [];
    const links: RawLinkOverride[] = [];
    for (const [key, net] of Object.entries(this.spec.networks ?? {})) {
      const target = this.word(key, "networks", key);
      const members = net.members.map((m, i) => this.word(m, "networks", key, "members", i));
      networks.push({ name: target, subnet: this.word(net.subnet, "networks", key, "subnet"), members });
      if (net.link) links.push({ target, props: this.props(net.link, "networks", key, "link") });
    }
    return { name, hosts, networks, proxyIps, behind, defaultBehind: true, links, position: this.at() };
  }

  private links(): RawLinkOverride[] {
    return Object.entries(this.spec.links ?? {}).map(([key, link]) => ({
      target: this.word(key, "links", key),
      props: this.props(link, "links", key),
    }));
  }

  private props(link: InlineLink, ...path: Path): Partial<LinkProps> {
    return parseLinkProps(link, this.ctx.positionOf, [...this.root, ...path]);
  }

  private word(text: string, ...path: Path): RawWord {
    return { text, position: this.at(...path) };
  }

  private at(...path: Path): Position {
    return this.ctx.positionOf([...this.root, ...path]);
  }
}
