/** The changes that need no typing: faults of links, pings, keys, the NAT's memory, the seed. Each runs the scenario again. */
import { signal } from "@preact/signals";
import { useId } from "preact/hooks";
import type { WhatIf } from "../../../src/replay/protocol.ts";
import * as store from "../store.ts";
import * as draft from "./draft.ts";
import { beginDrag, dragged } from "./drag.ts";
import { flush } from "./Editor.tsx";

/** Faults with a value to begin with, in the words of the link command. */
const FAULTS: readonly { name: string; value: string; says: string }[] = [
  { name: "loss", value: "10%", says: "frames are lost" },
  { name: "delay", value: "50ms", says: "frames take longer" },
  { name: "duplicate", value: "10%", says: "frames arrive twice" },
  { name: "reorder", value: "20%", says: "frames overtake each other" },
  { name: "corrupt", value: "5%", says: "frames arrive damaged" },
  { name: "down", value: "", says: "the link is cut" },
];

const fault = signal("loss");
const values = signal<Record<string, string>>(Object.fromEntries(FAULTS.map((f) => [f.name, f.value])));
const link = signal("");

function apply(change: WhatIf): void {
  flush();
  draft.apply(change);
}

const faultWords = (name: string): string => `${name} ${values.value[name] ?? ""}`.trim();

export function Controls() {
  const topology = draft.known.value?.topology;
  const blocked = draft.checked.value.problem !== undefined;
  if (!topology) return null;
  const links = topology.hosts.flatMap((h) => h.nics.map((n) => `${h.name}/${n.name}`));
  return (
    <fieldset class="controls" disabled={blocked}>
      <legend class="visually-hidden">Changes</legend>
      <Faults links={links} />
      <Pings hosts={topology.hosts.filter((h) => h.role === "server").map((h) => h.name)} />
      <Keys />
      <NatMemory hosts={topology.hosts.filter((h) => h.role === "nat").map((h) => h.name)} />
      <Seed />
    </fieldset>
  );
}

function Faults({ links }: { links: readonly string[] }) {
  const id = useId();
  const chosen = FAULTS.find((f) => f.name === fault.value) ?? FAULTS[0];
  const target = links.includes(link.value) || link.value === "all" ? link.value : links[0];
  const put = (on: string): void => apply({ kind: "link", link: on, faults: faultWords(fault.value) });
  return (
    <div class="control" data-testid="faults">
      <h3>Faults on a link</h3>
      <div class="chips">
        {FAULTS.map((f) => (
          <button
            key={f.name}
            type="button"
            class="chip"
            aria-pressed={f.name === fault.value}
            title={`${f.says}; drag it onto a link`}
            data-testid={`fault-${f.name}`}
            onClick={() => {
              fault.value = f.name;
            }}
            onPointerDown={(e) => {
              fault.value = f.name;
              beginDrag(e, faultWords(f.name), put);
            }}
          >
            {f.name}
          </button>
        ))}
      </div>
      <p class="muted small">Drag one onto a link in the drawing, or choose the link here.</p>
      <div class="line">
        {chosen.value === "" ? null : (
          <input
            type="text"
            class="mono short"
            aria-label={`How much ${chosen.name}`}
            data-testid="fault-value"
            value={values.value[chosen.name]}
            onInput={(e) => {
              values.value = { ...values.value, [chosen.name]: e.currentTarget.value };
            }}
          />
        )}
        <label class="visually-hidden" for={`${id}-link`}>
          Link
        </label>
        <select
          id={`${id}-link`}
          data-testid="fault-link"
          value={target}
          onChange={(e) => {
            link.value = e.currentTarget.value;
          }}
        >
          {[...links, "all"].map((l) => (
            <option key={l} value={l}>
              {l}
            </option>
          ))}
        </select>
        <button type="button" data-testid="fault-apply" onClick={() => put(target)}>
          Put {chosen.name} on it
        </button>
      </div>
    </div>
  );
}

const pingHost = signal("");
const pingFirst = signal(false);

function Pings({ hosts }: { hosts: readonly string[] }) {
  const id = useId();
  if (hosts.length === 0) return null;
  return (
    <div class="control">
      <h3>Pings</h3>
      <div class="line">
        <label for={`${id}-host`}>from</label>
        <select
          id={`${id}-host`}
          data-testid="ping-host"
          value={hosts.includes(pingHost.value) ? pingHost.value : ""}
          onChange={(e) => {
            pingHost.value = e.currentTarget.value;
          }}
        >
          <option value="">any host</option>
          {hosts.map((h) => (
            <option key={h} value={h}>
              {h}
            </option>
          ))}
        </select>
        <button
          type="button"
          data-testid="stop-pings"
          onClick={() =>
            apply({
              kind: "stop-pings",
              host: pingHost.value || undefined,
              first: pingFirst.value || undefined,
            })
          }
        >
          Stop the pings
        </button>
      </div>
      <label class="check small">
        <input
          type="checkbox"
          checked={pingFirst.value}
          data-testid="ping-first"
          onChange={(e) => {
            pingFirst.value = e.currentTarget.checked;
          }}
        />
        the first one, too (pfc_add -p)
      </label>
    </div>
  );
}

const keyOf = signal("");
const newKey = signal("another-key-1234");

function Keys() {
  const id = useId();
  const all = draft.services.value;
  if (all.length === 0) return null;
  const name = (s: draft.Service): string => `${s.host} ${s.group}/${s.service}`;
  const chosen = all.find((s) => name(s) === keyOf.value) ?? all[all.length - 1];
  return (
    <div class="control">
      <h3>Another key</h3>
      <div class="line">
        <label for={`${id}-service`}>for</label>
        <select
          id={`${id}-service`}
          data-testid="key-service"
          value={name(chosen)}
          onChange={(e) => {
            keyOf.value = e.currentTarget.value;
          }}
        >
          {all.map((s) => (
            <option key={name(s)} value={name(s)}>
              {`${s.group}/${s.service} on ${s.host}`}
            </option>
          ))}
        </select>
        <input
          type="text"
          class="mono key"
          aria-label="The key: 16 characters, or hex: and 32 digits"
          data-testid="key-value"
          value={newKey.value}
          onInput={(e) => {
            newKey.value = e.currentTarget.value;
          }}
        />
        <button
          type="button"
          data-testid="key-apply"
          onClick={() => apply({ kind: "key", ...chosen, key: newKey.value })}
        >
          Change the key
        </button>
      </div>
    </div>
  );
}

const natHost = signal("");
const natSeconds = signal(2);

function NatMemory({ hosts }: { hosts: readonly string[] }) {
  const id = useId();
  if (hosts.length === 0) return null;
  const chosen = hosts.includes(natHost.value) ? natHost.value : hosts[0];
  return (
    <div class="control">
      <h3>The NAT's memory</h3>
      <div class="line">
        <select
          aria-label="NAT"
          data-testid="nat-host"
          value={chosen}
          onChange={(e) => {
            natHost.value = e.currentTarget.value;
          }}
        >
          {hosts.map((h) => (
            <option key={h} value={h}>
              {h}
            </option>
          ))}
        </select>
        <label for={`${id}-s`}>forgets UDP flows after</label>
        <input
          id={`${id}-s`}
          type="number"
          class="mono short"
          min="1"
          max="86400"
          data-testid="nat-seconds"
          value={natSeconds.value}
          onInput={(e) => {
            natSeconds.value = e.currentTarget.valueAsNumber;
          }}
        />
        <span>s</span>
        <button
          type="button"
          data-testid="nat-apply"
          onClick={() =>
            apply({
              kind: "nat-udp-timeout",
              host: chosen,
              seconds: natSeconds.value,
              stream: natSeconds.value,
            })
          }
        >
          Set it
        </button>
      </div>
    </div>
  );
}

function Seed() {
  const seed = store.info.value?.seed ?? 1;
  return (
    <div class="control">
      <h3>Chance</h3>
      <div class="line">
        <span class="muted">This run's seed is {seed}.</span>
        <button type="button" data-testid="seed-next" onClick={() => apply({ kind: "seed", seed: (seed + 1) >>> 0 })}>
          Other random numbers
        </button>
      </div>
    </div>
  );
}

/** What is under the pointer while a fault is being dragged. */
export function DragGhost() {
  const d = dragged.value;
  if (!d) return null;
  return (
    <div class={d.link ? "ghost on" : "ghost"} style={{ left: `${d.x}px`, top: `${d.y}px` }} aria-hidden="true">
      {d.label}
      {d.link ? ` on ${d.link}` : ""}
    </div>
  );
}
