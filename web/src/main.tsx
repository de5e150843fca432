/** The script's entry: in the page it draws the app and opens what the page was loaded with; in its worker it serves. */
import { render } from "preact";
import * as z from "zod";
import { App } from "./App.tsx";
import "./styles/theme.css";
import "./styles/layout.css";
import "./styles/panels.css";
import "./styles/network.css";
import { start } from "./start.ts";
import { listenForKeys } from "./ui/keys.ts";
import { startTheme } from "./ui/theme.ts";
import { serve } from "./worker.ts";

// The page's policy allows no code made from text, which zod would try for speed.
z.config({ jitless: true });

if (typeof document === "undefined") serve();
else {
  startTheme();
  render(<App />, document.getElementById("app")!);
  listenForKeys();
  void start();
}
