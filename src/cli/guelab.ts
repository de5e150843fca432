#!/usr/bin/env node
/** The program `guelab`. */
import { loadApp } from "./launch.ts";

process.exitCode = await loadApp().app.main(process.argv.slice(2));
