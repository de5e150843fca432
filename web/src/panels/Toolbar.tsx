/** Moving in time: back and next, of all events or of this packet, to the next drop, and run to a step, a host or a moment. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { StepView } from "../../../src/replay/types.ts";
import * as store from "../store.ts";
import { count, seconds } from "../ui/format.ts";
import { headlineOf } from "./Decision.tsx";

const PLAY_MS = 900;
export const playing = signal(false);

export function togglePlay(): void {
  playing.value = !playing.value;
}

/** While playing, the packet's way goes on by itself; where it ends, so does playing. */
function usePlay(): void {
  const on = playing.value;
  useEffect(() => {
    if (!on) return;
    const timer = setInterval(() => {
      const ahead = store.journey.value?.events.some((e) => e > store.selected.value);
      const last = store.selected.value >= (store.info.value?.events ?? 0) - 1;
      if (last || (store.journey.value && !ahead)) playing.value = false;
      else void store.go({ to: ahead ? "next-of-journey" : "next" });
    }, PLAY_MS);
    return () => clearInterval(timer);
  }, [on]);
}

export function Toolbar() {
  usePlay();
  const info = store.info.value;
  const e = store.event.value;
  const at = store.selected.value;
  const inJourney = (store.journey.value?.events.length ?? 0) > 0;
  return (
    <div class="toolbar" role="toolbar" aria-label="Moving in time">
      <div class="group">
        <Go label="First event" text="|◀" target={{ to: "first" }} />
        <Go label="Back one event" text="◀ Back" target={{ to: "previous" }} testid="back" />
        <Go label="Next event" text="Next ▶" target={{ to: "next" }} testid="next" primary />
        <Go label="Last event" text="▶|" target={{ to: "last" }} />
      </div>
      <div class="group" role="group" aria-label="This packet's way">
        <span class="group-label">Packet</span>
        <Go
          label="Back on this packet's way"
          text="◀"
          target={{ to: "previous-of-journey" }}
          off={!inJourney}
          testid="journey-back"
        />
        <button
          type="button"
          aria-label={playing.value ? "Pause" : "Play this packet's way"}
          title={playing.value ? "Pause (space)" : "Play this packet's way (space)"}
          aria-pressed={playing.value}
          onClick={togglePlay}
          data-testid="play"
        >
          {playing.value ? "❚❚" : "Play"}
        </button>
        <Go
          label="Next on this packet's way"
          text="▶"
          target={{ to: "next-of-journey" }}
          off={!inJourney}
          testid="journey-next"
        />
      </div>
      <div class="group far-group">
        <Go
          label="Next drop"
          text="Next drop"
          target={{ to: "next-drop" }}
          off={info?.drops === 0}
          testid="next-drop"
        />
        <RunTo />
      </div>
      <div class="where" data-testid="where">
        {e ? (
          <>
            <span>
              <b>{count(at + 1)}</b> / {count(info?.events ?? 0)}
            </span>{" "}
            <span class="mono">{seconds(e.timeNs)} s</span>
          </>
        ) : null}
      </div>
      <output class="visually-hidden" data-testid="announce">
        {e ? `Event ${at + 1}: ${headlineOf(e)}` : ""}
      </output>
    </div>
  );
}

function Go(props: {
  label: string;
  text: string;
  target: Parameters<typeof store.go>[0];
  off?: boolean;
  primary?: boolean;
  testid?: string;
}) {
  return (
    <button
      type="button"
      class={props.primary ? "primary" : undefined}
      aria-label={props.label}
      title={props.label}
      disabled={props.off}
      data-testid={props.testid}
      onClick={() => void store.go(props.target)}
    >
      {props.text}
    </button>
  );
}

const flat = (steps: readonly StepView[]): StepView[] => steps.flatMap((s) => [s, ...flat(s.steps)]);

/** Each option's value is the target's kind and its argument. */
function RunTo() {
  const info = store.info.value;
  const hosts = info?.topology?.hosts ?? [];
  const steps = flat(info?.steps ?? []).filter((s) => s.firstEvent >= 0);
  return (
    <select
      aria-label="Run to"
      data-testid="run-to"
      value=""
      onChange={(e) => {
        const [to, ...rest] = e.currentTarget.value.split(" ");
        const argument = rest.join(" ");
        e.currentTarget.value = "";
        if (to === "step") void store.go({ to, step: argument });
        else if (to === "next-at-host") void store.go({ to, host: argument });
        else if (to === "previous-drop") void store.go({ to });
      }}
    >
      <option value="">Run to…</option>
      <option value="previous-drop">the drop before</option>
      <optgroup label="Next event at">
        {hosts.slice(0, 60).map((h) => (
          <option key={h.name} value={`next-at-host ${h.name}`}>
            {h.name}
          </option>
        ))}
      </optgroup>
      <optgroup label="Step">
        {steps.slice(0, 300).map((s) => (
          <option key={s.id} value={`step ${s.id}`}>
            {`${s.id}  ${s.command ?? s.title}`.slice(0, 60)}
          </option>
        ))}
      </optgroup>
    </select>
  );
}
