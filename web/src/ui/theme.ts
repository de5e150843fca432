/** Light or dark: what the system asks for, until the reader chooses; the choice is kept in the browser where it may be. */
import { effect, signal } from "@preact/signals";

export type Theme = "light" | "dark";
const KEY = "guelab-theme";

function chosen(): Theme | undefined {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : undefined;
  } catch {
    // A page from file:// or a sealed frame may have no storage.
    return undefined;
  }
}

export const theme = signal<Theme>("light");

/** Sets the colours, and follows the system while the reader has chosen none. */
export function startTheme(): void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const ofSystem = (): Theme => (system.matches ? "dark" : "light");
  theme.value = chosen() ?? ofSystem();
  system.addEventListener("change", () => {
    if (chosen() === undefined) theme.value = ofSystem();
  });
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
  });
}

export function toggleTheme(): void {
  theme.value = theme.value === "dark" ? "light" : "dark";
  try {
    localStorage.setItem(KEY, theme.value);
  } catch {
    // Not kept; it holds for this visit.
  }
}
