/** The page's entry: draws the app, listens for keys, and opens what the page was loaded with. */
import { render } from "preact";
import * as z from "zod";
import { App } from "./App.tsx";
import "./styles/theme.css";
import "./styles/layout.css";
import "./styles/panels.css";
import "./styles/network.css";
import { start } from "./start.ts";
import { listenForKeys } from "./ui/keys.ts";

// The page's policy allows no code made from text, which zod would try for speed.
z.config({ jitless: true });
render(<App />, document.getElementById("app")!);
listenForKeys();
void start();
