/** Every lesson in the page: to each question a wrong answer and then the right one, which is asked of the same run here. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type PageServer, servePage } from "../../src/cli/page-server.ts";
import { currentScenario } from "../../src/cli/serve.ts";
import { rightAnswer } from "../../src/lesson/answer.ts";
import { readLesson } from "../../src/lesson/markdown.ts";
import { type Ask, type LessonRun, lessonRun } from "../../src/lesson/run.ts";
import { type Question, questionsOf } from "../../src/lesson/types.ts";
import { parseDisplayFilter } from "../../src/replay/filter.ts";
import type { Request, Response } from "../../src/replay/protocol.ts";
import { createReplayServer } from "../../src/replay/server.ts";
import { loadScenarioFiles } from "../../src/scenario/load.ts";
import { withBrowser } from "./browser.ts";
import { opened, openTab } from "./page.ts";
import { describeWeb } from "./require.ts";

const DIR = "scenarios/lessons";
const lessons = readdirSync(DIR)
  .filter((f) => f.endsWith(".md"))
  .sort()
  .map((f) => readLesson(readFileSync(join(DIR, f), "utf8"), join(DIR, f), parseDisplayFilter));

/** The lesson's run, recorded in this process. */
async function record(file: string): Promise<LessonRun> {
  const answers = new Map<number, Response>();
  const server = createReplayServer((response) => answers.set(response.id, response));
  let id = 0;
  const ask = async (type: string, request: object): Promise<Response> => {
    await server.handle({ ...request, id: ++id } as Request);
    const answer = answers.get(id);
    if (answer?.type !== type) throw new Error(JSON.stringify(answer));
    return answer;
  };
  const source = { kind: "scenario", ...loadScenarioFiles(file).files };
  const { info } = (await ask("opened", { type: "open", source })) as Extract<Response, { type: "opened" }>;
  return lessonRun(info, ask as Ask);
}

function wrongAnswer(q: Question, right: string, run: LessonRun): string {
  if (q.answerKind === "number") return String(Number(right) + 7);
  if (q.answerKind === "bytes") return `${right.startsWith("ff") ? "00" : "ff"}${right.slice(2)}`;
  if (q.answerKind === "choice") return q.options.find((o) => o.value !== right)?.value as string;
  if (q.answerKind === "host") return run.info.topology?.hosts.find((h) => h.name !== right)?.name as string;
  return "nothing of the kind";
}

/** Opens a lesson from the list. */
async function start(page: Page, id: string): Promise<void> {
  await opened(page);
  await openTab(page, "tab-lessons");
  await page.getByTestId(`lesson-${id}`).click();
}

async function answer(form: Locator, q: Question, text: string): Promise<void> {
  const input = form.getByTestId("answer");
  if (q.answerKind === "choice")
    await form
      .getByRole("radio")
      .and(form.locator(`[value="${text}"]`))
      .check();
  else if (q.answerKind === "host") await input.selectOption(text);
  else await input.fill(text);
  await form.getByTestId("check").click();
}

describeWeb("lessons", () => {
  const browser = withBrowser();
  let server: PageServer;
  beforeAll(async () => {
    server = await servePage(0, () => currentScenario("scenarios/basic/01-node1.yaml"));
  });
  afterAll(() => server.close());

  it("are at least eight", () => {
    expect(lessons.length).toBeGreaterThanOrEqual(8);
  });

  it.each(lessons)("$id", async (lesson) => {
    const run = await record(join(DIR, lesson.scenario));
    const { page } = await browser.open(server.url);
    await start(page, lesson.id);
    await page.locator(`[data-testid="lesson"][data-lesson="${lesson.id}"]`).waitFor();
    // Links in the text lead to where they say, and complain of nothing.
    for (const link of await page.locator(".lesson .md button.link").all()) {
      const before = await page.getByTestId("where").innerText();
      await link.click();
      await expect.poll(() => page.getByTestId("where").innerText()).not.toBe(before);
      expect(await page.getByTestId("notice").innerText()).toBe("");
    }
    const questions = questionsOf(lesson);
    expect(questions.length).toBeGreaterThan(0);
    for (const q of questions) {
      const form = page.getByTestId(`question-${q.id}`);
      const right = await rightAnswer(q, run);
      await answer(form, q, wrongAnswer(q, right, run));
      await expect.poll(() => form.getAttribute("data-verdict")).toBe("wrong");
      expect((await form.getByTestId("feedback").innerText()).length).toBeGreaterThan(3);
      await answer(form, q, right);
      await expect.poll(() => form.getAttribute("data-verdict")).toBe("right");
      expect(await form.getByTestId("feedback").innerText()).toContain("Right.");
    }
    const all = `${questions.length} of ${questions.length} answered`;
    await page.getByTestId("lesson-progress").getByText(all).waitFor();
  });

  it("show in the run what an answer is about", async () => {
    const [lesson] = lessons.filter((l) => l.id === "03-encapsulation");
    const [question] = questionsOf(lesson);
    const run = await record(join(DIR, lesson.scenario));
    const { page } = await browser.open(server.url);
    await start(page, lesson.id);
    const form = page.getByTestId(`question-${question.id}`);
    await answer(form, question, await rightAnswer(question, run));
    await form.getByTestId("show-me").click();
    await page.getByTestId("delta").getByText("+52 bytes").waitFor();
    // What was answered is still answered in the list.
    await openTab(page, "tab-lessons");
    await page.getByTestId("lesson-back").click();
    await page
      .getByTestId(`lesson-${lesson.id}`)
      .getByText(/answered/)
      .waitFor();
  });
});
