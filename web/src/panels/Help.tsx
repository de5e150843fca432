/** The keys, what the marks mean, and the words that everything else takes for granted. */
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

const WORDS: readonly (readonly [string, string])[] = [
  ["GUE", "Generic UDP Encapsulation: a packet travels as the payload of a UDP datagram, behind a small header"],
  ["tunnel", "two UDP endpoints between which such datagrams go; its id is group × 65536 + service"],
  ["service", "a server program that clients reach through the proxy; group and service id name it in the GUE header"],
  ["key", "16 bytes in the GUE header that only the two ends of a service know"],
  ["proxy", "owns the public address (egw); sends each request to the node that serves it"],
  ["node", "a server; it may be behind a NAT, where nobody can send to it first"],
  ["GUE ping", "a control packet without payload: it opens the NAT, and tells the proxy where the node is"],
  ["NAT", "a router that rewrites addresses and ports so that private hosts share one public address"],
  ["flow", "what a NAT or firewall remembers of a connection (conntrack), until it times out"],
  ["hook", "where the data path sees each packet of an interface: ingress as it comes in, egress as it goes out"],
  ["verdict", "what a hook does with the packet: pass it on, drop it, or redirect it to an interface"],
  ["DNAT, SNAT", "a new destination, a new source address and port"],
  ["session", "a node's memory of which tunnel a client's packets came by, for the way back"],
  ["MTU", "the largest IP packet that an interface sends; a tunnel's 52 bytes count"],
  ["MSS", "the most payload that a TCP segment may carry; a SYN announces it"],
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
      title="Keys, marks and words"
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
      <h3>Words</h3>
      <dl class="keys words" data-testid="words">
        {WORDS.map(([word, what]) => (
          <div key={word}>
            <dt>
              <b>{word}</b>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
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
