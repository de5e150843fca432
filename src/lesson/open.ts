/** Runs a lesson's scenario with a replay server in the same thread: what the terminal and the tests use. */
import { LabError } from "../errors.ts";
import type { Response, ScenarioSource } from "../replay/protocol.ts";
import { createReplayServer } from "../replay/server.ts";
import { type Ask, type LessonRun, lessonRun } from "./run.ts";

/** Throws LabError: those of the scenario, and ERR_LESSON_RUN where one of its expectations does not hold. */
export async function openLessonRun(source: ScenarioSource): Promise<LessonRun> {
  let answer: Response | undefined;
  const server = createReplayServer((response) => {
    if (response.type !== "progress") answer = response;
  });
  const ask = async (type: Response["type"], request: Parameters<Ask>[1]): Promise<Response> => {
    answer = undefined;
    await server.handle({ ...request, id: 1 });
    const given = answer as Response | undefined;
    if (given?.type === "error") {
      const { code, message, hint, position } = given.error;
      throw new LabError(code, message, { hint, position });
    }
    if (given?.type !== type) throw new Error(`${given?.type} in answer to ${request.type}`);
    return given;
  };
  const { info } = (await ask("opened", { type: "open", source })) as Extract<Response, { type: "opened" }>;
  if (info.report?.status !== "passed")
    throw new LabError("ERR_LESSON_RUN", `the lesson's scenario fails: ${source.file}`, {
      hint: `guelab run ${source.file} says which expectation does not hold.`,
    });
  return lessonRun(info, ask as Ask);
}
