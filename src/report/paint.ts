/** Colours for terminals only: never into a file or a pipe, never where NO_COLOR is set (https://no-color.org). */
import { styleText } from "node:util";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan" | "inverse";
/** Puts a style around a text, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

/**
 * Newer releases of Node look at stdout themselves unless told not to; here `paintFor` has already decided, for the
 * stream that the text really goes to. The types of Node 20 do not have the third argument yet.
 */
const always = (style: Style, text: string): string =>
  (styleText as (style: Style, text: string, options: { validateStream: boolean }) => string)(style, text, {
    validateStream: false,
  });

export const plain: Paint = (_style, text) => text;
export const coloured: Paint = (style, text) => (text === "" ? "" : always(style, text));

/** The paint that fits where the text goes. */
export function paintFor(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): Paint {
  if (env.NO_COLOR || env.TERM === "dumb" || !stream.isTTY) return plain;
  return coloured;
}
