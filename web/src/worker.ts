/**
 * The simulator and its recorder behind src/replay's server, in a worker. Page and worker are one script, so that what both
 * need (the scenario reader, the dissector) is there once, and so that a report needs no second file: the worker is started
 * with the page's own script, which sees that it has no document (main.tsx).
 */
import type { Request } from "../../src/replay/protocol.ts";
import { createReplayServer } from "../../src/replay/server.ts";

/** Lets messages in: a message to oneself comes behind those that wait, without a timer's delay. */
function pause(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}

/** What the worker does. */
export function serve(): void {
  const server = createReplayServer((response) => postMessage(response), { clock: () => performance.now(), pause });
  addEventListener("message", (e: MessageEvent<Request>) => {
    void server.handle(e.data);
  });
}

/** Starts a worker with the page's script, from its address or, where it stands in the page itself, from its text. */
export function startWorker(): Worker {
  const own = document.querySelector<HTMLScriptElement>('script[type="module"]')!;
  if (own.src) return new Worker(own.src, { type: "module" });
  // A page from the disk has no origin, and no worker of its own may be a module: the text becomes a plain script.
  const script = `(() => { "use strict";${own.textContent}\n})()`;
  return new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
}
