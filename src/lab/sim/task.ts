/** A command under way in virtual time: settled once, by an event of the simulation. */

export class Task<T> {
  private outcome: { value: T } | { error: unknown } | undefined;
  private readonly waiting: (() => void)[] = [];

  get settled(): boolean {
    return this.outcome !== undefined;
  }

  resolve(value: T): void {
    this.settle({ value });
  }

  reject(error: unknown): void {
    this.settle({ error });
  }

  /** Settles with what `fn` returns or throws. */
  attempt(fn: () => T): void {
    try {
      this.resolve(fn());
    } catch (err) {
      this.reject(err);
    }
  }

  /** Its value; throws its error. Only for a settled task. */
  value(): T {
    if (this.outcome === undefined) throw new Error("the task is still under way");
    if ("error" in this.outcome) throw this.outcome.error;
    return this.outcome.value;
  }

  promise(): Promise<T> {
    return new Promise((resolve, reject) => {
      const finish = () => {
        try {
          resolve(this.value());
        } catch (err) {
          reject(err);
        }
      };
      if (this.settled) finish();
      else this.waiting.push(finish);
    });
  }

  private settle(outcome: { value: T } | { error: unknown }): void {
    if (this.outcome !== undefined) return;
    this.outcome = outcome;
    for (const fn of this.waiting.splice(0)) fn();
  }
}

/** A task that is settled already. */
export function settledTask<T>(value: T): Task<T> {
  const task = new Task<T>();
  task.resolve(value);
  return task;
}
