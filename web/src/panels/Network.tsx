/** The topology as a drawing, with the selected packet's way on it: numbered links, tunnels as tubes, drops marked. */
import { useMemo } from "preact/hooks";
import type { EventRow, HostState, HostView, TopologyView } from "../../../src/replay/types.ts";
import { hostLines } from "../net/host-lines.ts";
import { type Action, journeyActions, journeySegments, type Segment } from "../net/journey.ts";
import { type Box, type HostPlace, type Layout, layoutTopology } from "../net/layout.ts";
import * as store from "../store.ts";
import { useSize } from "../ui/size.ts";

/** A capture or a vector may have none to draw: the list has the room then. */
export const hasTopology = (): boolean => store.info.value?.topology !== undefined;

export function Network() {
  const [ref, size] = useSize<HTMLDivElement>();
  const topology = store.info.value?.topology;
  const rows = store.journeyRows.value;
  return (
    <section class="panel network" aria-label="Network">
      <div class="network-draw" ref={ref}>
        {topology ? (
          <Drawing topology={topology} rows={rows} width={size.width} height={size.height} />
        ) : (
          <p class="empty">This recording has no topology to draw.</p>
        )}
      </div>
      <Legend rows={rows} />
    </section>
  );
}

function Drawing(props: { topology: TopologyView; rows: readonly EventRow[]; width: number; height: number }) {
  const { topology, rows, width, height } = props;
  const wide = width === 0 || width > height * 1.05;
  const here = store.event.value?.host ?? "";
  const involved = useMemo(() => [...new Set([here, ...rows.map((r) => r.host)])].sort().join(" "), [rows, here]);
  const layout = useMemo(
    () => layoutTopology(topology, wide, new Set(involved.split(" ")), width > 0 ? { width, height } : undefined),
    [topology, wide, involved, width, height],
  );
  const segments = useMemo(() => journeySegments(layout, rows), [layout, rows]);
  const actions = useMemo(() => journeyActions(rows), [rows]);
  const current = store.event.value;
  const index = current?.index ?? -1;
  const states = store.hosts.value;
  return (
    <svg
      viewBox={`0 0 ${layout.width} ${layout.height}`}
      style={{ maxWidth: `${layout.width * 1.35}px`, maxHeight: `${layout.height * 1.35}px` }}
      role="group"
      aria-label={`Topology ${topology.name}`}
      data-testid="topology"
      data-rows={wide ? layout.rows : undefined}
    >
      <desc id="to-next-event">Goes to the next event here.</desc>
      <defs>
        {["line", "tube"].map((kind) => (
          <marker
            key={kind}
            id={`arrow-${kind}`}
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="9"
            markerHeight="9"
            markerUnits="userSpaceOnUse"
            orient="auto"
          >
            <path d="M0 0.5 L8 4 L0 7.5 z" class={`arrow-${kind}`} />
          </marker>
        ))}
      </defs>
      {topology.networks.map((n) => {
        const bar = layout.networks.get(n.name);
        if (!bar) return null;
        return (
          <g key={n.name} class="net" data-network={n.name}>
            <title>{`${n.name} ${n.subnet}, gateway ${n.gateway}`}</title>
            <rect x={bar.x} y={bar.y} width={bar.w} height={bar.h} rx="5" />
          </g>
        );
      })}
      {[...layout.hosts.values()].flatMap((h) =>
        [...h.nics].map(([nic, p]) => (
          <line
            key={`${h.name}/${nic}`}
            class="cable"
            data-link={`${h.name}/${nic}`}
            x1={p.at.x}
            y1={p.at.y}
            x2={p.tap.x}
            y2={p.tap.y}
          />
        )),
      )}
      {segments.map((s) => (
        <Way key={s.number} segment={s} at={index} />
      ))}
      {topology.networks.map((n) => {
        const bar = layout.networks.get(n.name);
        return bar ? <NetLabel key={n.name} net={n} bar={bar} layout={layout} /> : null;
      })}
      {topology.hosts.map((h) => {
        const place = layout.hosts.get(h.name);
        return place ? (
          <HostBox
            key={h.name}
            host={h}
            place={place}
            layout={layout}
            state={states.find((s) => s.host === h.name)}
            actions={actions.filter((a) => a.host === h.name)}
            at={index}
            current={current?.host === h.name ? (current.nic ?? "") : undefined}
            dropped={current?.host === h.name && current.verdict === "drop"}
          />
        ) : null;
      })}
      {segments.map((s) => (
        <Badge key={s.number} segment={s} at={index} />
      ))}
    </svg>
  );
}

/** Below the bar; or, where the bar lies flat, at its left end, above and below it, where no cable is. */
function NetLabel(props: { net: TopologyView["networks"][number]; bar: Box; layout: Layout }) {
  const { net, bar, layout } = props;
  const hidden = layout.hidden.get(net.name);
  const more = hidden ? ` + ${hidden} hosts` : "";
  if (layout.wide)
    return (
      <text class="net-label" x={bar.x + bar.w / 2} y={bar.y + bar.h + 18} text-anchor="middle">
        {`${net.name} ${net.subnet}${more}`}
      </text>
    );
  const x = Math.max(2, bar.x - 6);
  return (
    <text class="net-label flat">
      <tspan x={x} y={bar.y - 4}>
        {net.name}
      </tspan>
      <tspan x={x} y={bar.y + bar.h + 11}>{`${net.subnet}${more}`}</tspan>
    </text>
  );
}

const time = (s: Segment, at: number): string => (s.sent > at ? "ahead" : s.received < at ? "past" : "now");

function Way({ segment: s, at }: { segment: Segment; at: number }) {
  const d = s.points.map((p, i) => `${i === 0 ? "M" : "L"}${p.x} ${p.y}`).join(" ");
  return (
    <g class={`way ${time(s, at)}`} data-hop={s.number} data-tunnel={s.tunnel || undefined}>
      {s.tunnel ? <path d={d} class="tube" /> : null}
      <path d={d} class={s.tunnel ? "line inside" : "line"} marker-end={`url(#arrow-${s.tunnel ? "tube" : "line"})`} />
      {s.lost ? <Cross x={s.points[s.points.length - 1].x} y={s.points[s.points.length - 1].y} /> : null}
    </g>
  );
}

function Cross({ x, y }: { x: number; y: number }) {
  return <path class="cross" d={`M${x - 5} ${y - 5} l10 10 M${x + 5} ${y - 5} l-10 10`} />;
}

function Badge({ segment: s, at }: { segment: Segment; at: number }) {
  const words = `Hop ${s.number}${s.tunnel ? ", in the tunnel" : ""}${s.lost ? ", lost" : ""}`;
  return (
    <g
      class={`badge-hop ${time(s, at)}${s.tunnel ? " tunnel" : ""}`}
      role="button"
      tabIndex={0}
      aria-label={words}
      onClick={() => void store.select(s.sent)}
      onKeyDown={(e) => (e.key === "Enter" || e.key === " ") && void store.select(s.sent)}
    >
      <title>{words}</title>
      <circle cx={s.badge.x} cy={s.badge.y} r="8" />
      <text x={s.badge.x} y={s.badge.y}>
        {s.number}
      </text>
    </g>
  );
}

const ROLE: Record<HostView["role"], string> = { client: "client", proxy: "proxy", server: "server", nat: "NAT" };

function HostBox(props: {
  host: HostView;
  place: HostPlace;
  layout: Layout;
  state: HostState | undefined;
  actions: readonly Action[];
  at: number;
  /** NIC of the event at hand, when it is here. */
  current: string | undefined;
  dropped: boolean;
}) {
  const { host, place, actions, at } = props;
  const { lines, all } = hostLines(host, props.state, { width: place.w, lines: props.layout.wide ? 3 : 4 });
  const title = [
    `${host.name}, ${ROLE[host.role]}`,
    ...host.nics.map((n) => `${n.name} ${n.addr}/${n.prefix} mtu ${n.mtu}`),
    ...host.loopback.map((a) => `lo ${a}`),
    ...all,
  ].join("\n");
  const choose = (): void => void store.go({ to: "next-at-host", host: host.name });
  return (
    <g
      class={`host ${host.role}${props.current !== undefined ? " current" : ""}${props.dropped ? " dropped" : ""}`}
      data-host={host.name}
      transform={`translate(${place.x} ${place.y})`}
    >
      <g
        role="button"
        tabIndex={0}
        aria-describedby="to-next-event"
        onClick={choose}
        onKeyDown={(e) => (e.key === "Enter" || e.key === " ") && choose()}
      >
        <title>{title}</title>
        <rect class="box" width={place.w} height={place.h} rx="8" />
        <text class="host-name" x="8" y="18">
          {host.name}
        </text>
        <text class="host-role" x={place.w - 8} y="18">
          {ROLE[host.role]}
        </text>
        {lines.map((l, i) => (
          <text key={i} class={l.kind === "address" ? "host-addr" : "host-state"} x="8" y={32 + 14 * i}>
            {l.text}
          </text>
        ))}
      </g>
      <Actions actions={actions} at={at} width={place.w} y={place.h - (props.layout.wide ? 9 : 24)} />
      {[...place.nics].map(([nic, p]) => (
        <circle
          key={nic}
          class={props.current === nic ? "nic on" : "nic"}
          cx={p.at.x - place.x}
          cy={p.at.y - place.y}
          r={props.current === nic ? 5.5 : 3.5}
        >
          <title>{nic}</title>
        </circle>
      ))}
    </g>
  );
}

/** Chips along the box's lower edge; equal ones in a row are one. */
function Actions(props: { actions: readonly Action[]; at: number; width: number; y: number }) {
  const { actions, at, width, y } = props;
  const shown = actions.filter((a, i) => i === 0 || actions[i - 1].text !== a.text).slice(0, 3);
  let x = 8;
  return (
    <>
      {shown.map((a) => {
        const w = a.text.length * 6.6 + 10;
        const left = x;
        x += w + 4;
        if (left + w > width + 14) return null;
        return (
          <g
            key={a.event}
            class={`chip ${a.tone} ${a.event > at ? "ahead" : a.event === at ? "now" : "past"}`}
            transform={`translate(${left} ${y})`}
            role="button"
            tabIndex={0}
            aria-label={`${a.text}: ${a.title}`}
            onClick={() => void store.select(a.event)}
            onKeyDown={(e) => (e.key === "Enter" || e.key === " ") && void store.select(a.event)}
          >
            <title>{a.title}</title>
            <rect width={w} height="17" rx="8.5" />
            <text x={w / 2} y="12.5">
              {a.text}
            </text>
          </g>
        );
      })}
    </>
  );
}

function Legend({ rows }: { rows: readonly EventRow[] }) {
  const current = store.event.value;
  if (!current) return null;
  return (
    <div class="legend small">
      {rows.length > 0 ? (
        <>
          <span>
            Packet <b>#{current.journey}</b>
          </span>
          <span class="key-line">plain</span>
          <span class="key-tube">in the tunnel</span>
          <span class="key-ahead">ahead</span>
        </>
      ) : (
        <span class="muted">No packet at this moment: step on, or choose one in the list.</span>
      )}
    </div>
  );
}
