/** The worker: the simulator and its recorder behind src/replay's server. */
import * as z from "zod";
import type { Request } from "../../src/replay/protocol.ts";
import { createReplayServer } from "../../src/replay/server.ts";

// The page's policy allows no code made from text, which zod would try for speed.
z.config({ jitless: true });

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

const server = createReplayServer((response) => postMessage(response), { clock: () => performance.now(), pause });

addEventListener("message", (e: MessageEvent<Request>) => {
  void server.handle(e.data);
});
