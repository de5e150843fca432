/** What people do with the page, for tests and pictures: found by role, label and test id, waited for by playwright. */
import type { Locator, Page } from "playwright-core";

export const eventList = (page: Page): Locator => page.getByTestId("event-list");

/** Rows of the list that exist: those in sight. */
export const rows = (page: Page): Locator => eventList(page).getByRole("option");

export const selectedRow = (page: Page): Locator => eventList(page).locator('[aria-selected="true"]');

/** Waits until a recording is open and its first events are there. */
export async function opened(page: Page): Promise<void> {
  await rows(page).first().waitFor();
  await page.getByTestId("where").getByText("/").waitFor();
}

/** Types a display filter and waits until the list holds what it lets through. */
export async function filter(page: Page, text: string): Promise<void> {
  const input = page.getByTestId("filter");
  await input.fill(text);
  await input.press("Enter");
  await page.locator(`[data-testid="event-list"][data-filter=${JSON.stringify(text)}]`).waitFor();
}

/** Selects the first event that a filter lets through, and waits for its details. The filter stays. */
export async function selectFirst(page: Page, text: string): Promise<void> {
  await filter(page, text);
  const row = rows(page).first();
  const index = await row.getAttribute("data-index");
  await row.click();
  await page.locator(`[data-testid="detail"][data-index="${index}"]`).waitFor({ state: "attached" });
}

/** Shows a tab by its test id, `tab-tables`. */
export async function openTab(page: Page, testid: string): Promise<void> {
  const tab = page.getByTestId(testid);
  await tab.click();
  await page.locator(`[data-testid="${testid}"][aria-selected="true"]`).waitFor();
}

/** The moment in which egw puts the first request of the node2 scenario into the tunnel, all events in the list. A phone shows one panel. */
export async function encapsulation(page: Page, phone = false): Promise<void> {
  if (phone) await page.getByTestId("phone-packets").click();
  await opened(page);
  await selectFirst(page, "host == egw and reason == PASS_ENCAP");
  await filter(page, "");
}
