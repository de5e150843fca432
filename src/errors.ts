/** Errors that are the user's to mend: what happened, where, what was expected, what to do. */

/** A place in a file; line and column count from 1. */
export interface Position {
  file: string;
  line: number;
  column: number;
}

/** Stable, greppable error codes are `ERR_` names; they are part of the interface (`refused: ERR_ENDPOINT_IN_USE`). */
export class LabError extends Error {
  readonly code: string;
  /** Where, if it came from a file. */
  position?: Position;
  /** What to do next, one sentence. */
  readonly hint?: string;

  constructor(code: string, message: string, opts: { position?: Position; hint?: string; cause?: unknown } = {}) {
    super(message, opts.cause === undefined ? undefined : { cause: opts.cause });
    this.name = "LabError";
    this.code = code;
    this.position = opts.position;
    this.hint = opts.hint;
  }

  /** `file:line:column: message (CODE)` and the hint on a line of its own. */
  format(): string {
    const at = this.position ? `${this.position.file}:${this.position.line}:${this.position.column}: ` : "";
    return `${at}${this.message} (${this.code})${this.hint ? `\n  ${this.hint}` : ""}`;
  }
}
