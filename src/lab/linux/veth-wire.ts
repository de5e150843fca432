/** A veth pair as a wire: between a host's interface and its network's bridge. */
import { DEFAULT_LINK, type LinkProps } from "../../scenario/topology.ts";
import { ipBatch } from "./inside.ts";
import { setFaults } from "./netem.ts";
import type { Namespace } from "./sys.ts";
import type { Wire } from "./world.ts";

export interface VethEnd {
  ns: Namespace;
  dev: string;
}

export class VethWire implements Wire {
  readonly label: string;
  private readonly host: VethEnd;
  private readonly bridge: VethEnd;
  private props: LinkProps = DEFAULT_LINK;

  constructor(label: string, host: VethEnd, bridge: VethEnd) {
    this.label = label;
    this.host = host;
    this.bridge = bridge;
  }

  setUp(up: boolean): void {
    ipBatch(this.bridge.ns, [`link set ${this.bridge.dev} ${up ? "up" : "down"}`]);
  }

  setProps(change: Partial<LinkProps>): void {
    const props = { ...this.props, ...change };
    for (const { ns, dev } of [this.host, this.bridge]) setFaults(ns, dev, props);
    this.props = props;
  }
}
