/** A walk through the node2 scenario in the page: find the request in the tunnel, look at the hook, step back and forth. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type PageServer, servePage } from "../../src/cli/page-server.ts";
import { currentScenario } from "../../src/cli/serve.ts";
import { withBrowser } from "./browser.ts";
import { encapsulation, eventList, filter, opened, openTab, rows, selectedRow, selectFirst } from "./page.ts";
import { describeWeb } from "./require.ts";

describeWeb("the node2 scenario", () => {
  const browser = withBrowser();
  let server: PageServer;
  beforeAll(async () => {
    server = await servePage(0, () => currentScenario("scenarios/basic/02-node2-behind-nat.yaml"));
  });
  afterAll(() => server.close());

  it("shows the request going into the tunnel: 52 bytes in front, and the entry that decided", async () => {
    const { page } = await browser.open(server.url);
    await opened(page);
    await selectFirst(page, "host == egw and reason == PASS_ENCAP");
    const decision = page.getByTestId("decision");
    await decision.getByTestId("headline").getByText("egw eth1: egress hook").waitFor();
    expect(await decision.getByTestId("delta").innerText()).toBe("+52 bytes");
    expect(await decision.getByTestId("reason").first().innerText()).toBe("PASS_ENCAP");
    expect(await decision.getByTestId("diff-counts").locator('[data-mark="added"]').getAttribute("data-count")).toBe(
      "52",
    );
    await decision.getByTestId("checks").getByText("ENCAP").first().waitFor();
    // The packet before is the inner one, the one after goes to the NAT.
    const before = decision.getByTestId("before-after");
    await before.getByText("172.1.0.2").first().waitFor();
    await before.getByText("172.1.0.5:6000").first().waitFor();
  });

  it("steps to the hook from the packet before it, and back and forward along the packet's way", async () => {
    const { page } = await browser.open(server.url);
    await opened(page);
    await selectFirst(page, "host == egw and reason == PASS_ENCAP");
    const hook = Number(await page.getByTestId("detail").getAttribute("data-index"));
    await filter(page, "");
    const at = async (index: number): Promise<void> => {
      await page.locator(`[data-testid="detail"][data-index="${index}"]`).waitFor();
      await expect.poll(() => selectedRow(page).getAttribute("data-index")).toBe(String(index));
    };
    await page.getByTestId("back").click();
    await at(hook - 1);
    expect(await page.getByTestId("delta").count()).toBe(0);
    await page.getByTestId("next").click();
    await at(hook);
    expect(await page.getByTestId("delta").innerText()).toBe("+52 bytes");
    // To the end of its way, node2, and back again.
    const journey: number[] = [hook];
    const here = async (): Promise<number> => Number(await page.getByTestId("detail").getAttribute("data-index"));
    const decap = page.getByTestId("decision").getByText("PASS_DECAP");
    while ((await decap.count()) === 0) {
      await page.getByTestId("journey-next").click();
      await expect.poll(here).toBeGreaterThan(journey[journey.length - 1]);
      journey.push(await here());
      expect(journey.length).toBeLessThan(40);
    }
    expect(await page.getByTestId("headline").innerText()).toContain("node2 eth1: ingress hook");
    expect(await page.getByTestId("delta").innerText()).toBe("−52 bytes");
    for (const index of journey.reverse().slice(1)) {
      await page.getByTestId("journey-back").click();
      await at(index);
    }
    expect(await page.getByTestId("delta").innerText()).toBe("+52 bytes");
  });

  it("shows the tables at that moment, and what the event before changed in them", async () => {
    const { page } = await browser.open(server.url);
    await opened(page);
    // The ping that tells egw where node2 is: its tunnel's remote endpoint changes.
    await selectFirst(page, "host == egw and reason == PING_CONSUMED");
    await openTab(page, "tab-tables");
    const tables = page.getByTestId("tables");
    await tables.getByRole("button", { name: /egw/ }).click();
    const row = tables.locator('[data-table="TUNNEL"] tr[data-mark="changed"]');
    await row.waitFor();
    expect(await row.innerText()).toContain("172.1.0.5");
    // One event earlier it has not been seen yet.
    await filter(page, "");
    await page.getByTestId("back").click();
    await row.waitFor({ state: "detached" });
    await expect.poll(() => tables.locator('[data-table="TUNNEL"]').innerText()).not.toContain("172.1.0.5");
  });

  it("links the header tree with the bytes, both ways", async () => {
    const { page } = await browser.open(server.url);
    await encapsulation(page);
    await openTab(page, "tab-packet");
    const about = page.getByTestId("field-about");
    const hex = page.getByTestId("hex");
    const tree = page.getByRole("tree");
    // The outer UDP header's destination port.
    await hex.locator('[role="gridcell"][data-i="37"]').click();
    await about.getByText("bytes 36–37").waitFor();
    expect(await about.innerText()).toMatch(/destination port.*RFC 768/i);
    await tree.locator('[aria-selected="true"]').filter({ hasText: "6000" }).waitFor();
    // And from the tree: the outer TTL is byte 22.
    await tree
      .getByRole("treeitem")
      .filter({ hasText: /ttl|time to live/i })
      .first()
      .click();
    await hex.locator('[data-i="22"][aria-selected="true"]').waitFor();
    await about.getByText("RFC 791").waitFor();
  });

  it("says what is wrong with a filter and where, and keeps the list", async () => {
    const { page } = await browser.open(server.url);
    await opened(page);
    const total = await eventList(page).getAttribute("data-total");
    await page.getByTestId("filter").fill("service == ");
    await page.getByTestId("filter-error").waitFor();
    expect(await eventList(page).getAttribute("data-total")).toBe(total);
    await filter(page, "service == 200 and host == node2");
    await page.getByTestId("filter-error").waitFor({ state: "detached" });
    const some = Number(await eventList(page).getAttribute("data-total"));
    expect(some).toBeGreaterThan(0);
    expect(some).toBeLessThan(Number(total));
    for (const place of await rows(page).locator(".c-place").allInnerTexts()) expect(place).toMatch(/^node2/);
  });
});
