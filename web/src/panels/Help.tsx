/** The keys, and what the marks mean. */
import { signal } from "@preact/signals";
import { Dialog } from "../ui/Dialog.tsx";

export const helpOpen = signal(false);

const KEYS: readonly (readonly [readonly string[], string])[] = [
  [["→", "j"], "next event"],
  [["←", "k"], "back one event"],
  [["n"], "next event of this packet"],
  [["p"], "back one event of this packet"],
  [["d"], "next drop"],
  [["Shift", "D"], "the drop before"],
  [["Space"], "play or pause the packet's way"],
  [["Home"], "first event"],
  [["End"], "last event"],
  [["/"], "to the display filter"],
  [["1"], "what happened"],
  [["2"], "packet: headers and bytes"],
  [["3"], "tables"],
  [["t"], "light or dark"],
  [["?"], "this list"],
  [["Esc"], "close a dialog, empty the filter"],
];

const FILTERS: readonly (readonly [string, string])[] = [
  ["host == egw", "what happened at one host"],
  ["service == 200", "one service"],
  ["verdict == drop", "packets that went no further"],
  ["reason == DROP_WRONG_KEY", "one reason"],
  ["journey == 7", "one packet's way"],
];

export function Help() {
  if (!helpOpen.value) return null;
  return (
    <Dialog
      title="Keys and marks"
      testid="help"
      onClose={() => {
        helpOpen.value = false;
      }}
    >
      <dl class="keys">
        {KEYS.map(([keys, what]) => (
          <div key={what}>
            <dt>
              {keys.map((k) => (
                <kbd key={k}>{k}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p class="small muted">
        In the list, the tree, the bytes and the tabs the arrow keys move within them. Letters and digits work
        everywhere but in a text field.
      </p>
      <h3>Bytes</h3>
      <p class="counts">
        <span class="mark added">added</span> <span class="mark removed">removed</span>{" "}
        <span class="mark changed">changed</span>
      </p>
      <h3>Filters</h3>
      <dl class="keys filters">
        {FILTERS.map(([text, what]) => (
          <div key={text}>
            <dt>
              <code>{text}</code>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
