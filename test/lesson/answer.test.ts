/** What learners type: every way to write an answer, and what is said of a wrong one. */
import { beforeAll, describe, expect, it } from "vitest";
import { LabError } from "../../src/errors.ts";
import { checkAnswer } from "../../src/lesson/answer.ts";
import { evaluate } from "../../src/lesson/evaluate.ts";
import { parseExpression } from "../../src/lesson/expression.ts";
import { openLessonRun } from "../../src/lesson/open.ts";
import type { LessonRun } from "../../src/lesson/run.ts";
import type { Question, QuestionKind } from "../../src/lesson/types.ts";
import { parseDisplayFilter } from "../../src/replay/filter.ts";
import { loadScenarioFiles } from "../../src/scenario/load.ts";

const at = { file: "l.md", line: 3, column: 9 };
const expr = (text: string) => parseExpression(text, at, parseDisplayFilter);

let run: LessonRun;
beforeAll(async () => {
  const { files } = loadScenarioFiles("scenarios/lessons/03-encapsulation.yaml");
  run = await openLessonRun({ kind: "scenario", ...files });
});

const ask = (answerKind: QuestionKind, answer: string, options: Question["options"] = []): Question => ({
  kind: "question",
  id: "q",
  ask: "?",
  answerKind,
  answer: expr(answer),
  options,
  wrong: [{ when: expr("7"), say: "Seven is the hint." }],
  hint: "h",
  explain: "Because.",
  position: at,
});

const check = async (question: Question, given: string) => {
  const { verdict, message } = await checkAnswer(question, given, run);
  return `${verdict}: ${message}`;
};

const ENCAP = "kind==hook host==egw reason==PASS_ENCAP";

describe("answers", () => {
  it.each(["5000", " 5000 ", "0x1388", "0X1388", "5,000", "5000 bytes", "5000."])("a number as %j", async (given) => {
    expect(await check(ask("number", `first(${ENCAP}).udp.source_port`), given)).toBe("right: Because.");
  });

  it.each(["05 04 a0 00", "0504a000", "0x0504A000", "05:04:a0:00", "0x05, 0x04, 0xa0, 0x00"])(
    "bytes as %j",
    async (given) => {
      expect(await check(ask("bytes", `first(${ENCAP}).gue[0:4]`), given)).toBe("right: Because.");
    },
  );

  it.each(["1.1.1.1", " 1.1.1.1 "])("a text as %j", async (given) => {
    expect(await check(ask("text", `first(${ENCAP}).inner.ipv4.destination_address`), given)).toBe("right: Because.");
  });

  it("a choice by value, by label and by number", async () => {
    const options = [
      { value: "PASS_SNAT", label: "translated" },
      { value: "PASS_ENCAP", label: "put into the tunnel" },
    ];
    const question = ask("choice", `first(${ENCAP}).reason`, options);
    for (const given of ["PASS_ENCAP", "put into the  tunnel", "2"])
      expect(await check(question, given)).toBe("right: Because.");
    expect(await check(question, "1")).toBe("wrong: Not this one.");
    expect(await check(question, "3")).toMatch(/^unreadable: Choose one/);
  });

  it("says what a wrong one was, or what is near it", async () => {
    expect(await check(ask("number", "count(kind==drop)"), "7")).toBe("wrong: Seven is the hint.");
    expect(await check(ask("number", "count(kind==drop)"), "3")).toBe("wrong: Not this number.");
    const bytes = ask("bytes", `first(${ENCAP}).gue[4:4]`);
    expect(await check(bytes, "64 00 01 00")).toMatch(/^wrong: .*wrong order/);
    expect(await check(bytes, "00 01")).toBe("wrong: That is 2 bytes; asked for are 4.");
    expect(await check(bytes, "00 01 01 00")).toBe("wrong: 2 of the 4 bytes are right.");
  });

  it("does not count what is not of the kind", async () => {
    expect(await check(ask("number", "1"), "five")).toMatch(/^unreadable: "five" is not a number/);
    expect(await check(ask("bytes", '"00"'), "0x0")).toMatch(/^unreadable: /);
    expect(await check(ask("host", '"egw"'), "egw9")).toBe(
      'unreadable: There is no host "egw9". The hosts are client, egw, node1, node2, nat.',
    );
    expect(await check(ask("text", '"x"'), "  ")).toMatch(/^unreadable: /);
  });
});

describe("expressions", () => {
  it.each<[string, number | string]>([
    ["2 + 3 - 0x4", 1],
    [`first("request", ${ENCAP}).length_after - first("request", ${ENCAP}).length`, 52],
    [`nth(2, kind==packet host==client dir==out proto==tcp).tcp.destination_port`, 3100],
    [`first(${ENCAP}).before.ipv4.destination_address`, "1.1.1.1"],
    [`first(${ENCAP}).inner.tcp.destination_port`, 4000],
    [`first(${ENCAP})[12:2]`, "0800"],
    ["row(egw TUNNEL 65636).remote", "172.1.0.4:6000"],
    ["rows(egw SESSION)", 0],
    ["row(node1 SESSION *).service", 100],
    [`owner(first(${ENCAP}).ethernet.destination)`, "node1"],
    ['owner("5.5.5.5")', "egw"],
    ['count("egw pfc_start eth1 egw 11 11 5000 5010", kind==packet)', 0],
  ])("%s", async (text, value) => {
    expect((await evaluate(expr(text), run)).value).toBe(value);
  });

  it.each<[string, RegExp]>([
    ["first(kind==drop).host", /no event of the run is number 1 of: kind==drop/],
    ['first("reqest", kind==drop).host', /the run has no step "reqest"/],
    [`first(${ENCAP}).udp.sourceport`, /the layer udp has no field sourceport/],
    [`first(${ENCAP}).icmp.type`, /the packet has no layer icmp/],
    [`first(${ENCAP}).colour`, /neither a value of the event/],
    [`first(${ENCAP}).quoted.ipv4.protocol`, /carries no quoted packet/],
    [`first(${ENCAP})[2000:1]`, /the frame ends at byte/],
    ["row(egw TUNNEL 1).remote", /0 rows of TUNNEL on egw are "1"/],
    ["row(egw TUNNEL *).colour", /TUNNEL has no column colour/],
    ['owner("9.9.9.9")', /no host has the address/],
    ['1 + "a"', /not both numbers/],
  ])("%s is refused in words, with the place", async (text, message) => {
    const failed = await evaluate(expr(text), run).catch((err: unknown) => err);
    expect(failed).toBeInstanceOf(LabError);
    expect(failed).toMatchObject({ code: "ERR_LESSON_VALUE", message: expect.stringMatching(message), position: at });
  });
});
