/** What a lab on real Linux needs of the machine. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../../errors.ts";

/** `tools`: programs, and Debian's packages of them. Throws LabError ERR_NO_ROOT, ERR_NO_PROGRAM. */
export function requireTools(lab: string, tools: Readonly<Record<string, string>>): void {
  if (process.platform !== "linux" || process.geteuid?.() !== 0)
    throw new LabError("ERR_NO_ROOT", `the ${lab} lab works inside network namespaces, which needs Linux and root`, {
      hint: "Run it with sudo, or in the simulated lab: --lab sim.",
    });
  const dirs = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`.split(":");
  for (const [tool, pkg] of Object.entries(tools))
    if (!dirs.some((dir) => existsSync(join(dir, tool))))
      throw new LabError("ERR_NO_PROGRAM", `the ${lab} lab needs ${tool}, which is not installed`, {
        hint: `On Debian and Ubuntu: apt-get install ${pkg}`,
      });
}
