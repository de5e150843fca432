/** Runs a lesson's scenario with a replay server in the same thread: what the terminal and the tests use. */
import { LabError } from "../errors.ts";
import type { Response, ScenarioSource } from "../replay/protocol.ts";
import { createReplayServer } from "../replay/server.ts";
import { type Ask, type LessonRun, lessonRun } from "./run.ts";

/** Throws LabError: those of the scenario, and ERR_LESSON_RUN where one of its expectations does not hold. */
export async function openLessonRun(source: ScenarioSource): Promise<LessonRun> {
  const answers = new Map<number, Response>();
  let lastId = 0;
  const server = createReplayServer((response) => {
    if (response.type !== "progress") answers.set(response.id, response);
  });
  const ask = async (type: Response["type"], request: Parameters<Ask>[1]): Promise<Response> => {
    const id = ++lastId;
    await server.handle({ ...request, id });
    const answer = answers.get(id);
    answers.delete(id);
    if (answer?.type === "error") {
      const { code, message, hint, position } = answer.error;
      throw new LabError(code, message, { hint, position });
    }
    if (answer?.type !== type) throw new Error(`${answer?.type} in answer to ${request.type}`);
    return answer;
  };
  const { info } = (await ask("opened", { type: "open", source })) as Extract<Response, { type: "opened" }>;
  if (info.report?.status !== "passed")
    throw new LabError("ERR_LESSON_RUN", `the lesson's scenario fails: ${source.file}`, {
      hint: `guelab run ${source.file} says which expectation does not hold.`,
    });
  return lessonRun(info, ask as Ask);
}
