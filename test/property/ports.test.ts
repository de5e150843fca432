/** The port pool against a plain queue, by random commands. */
import fc from "fast-check";
import { it } from "vitest";
import { PortPool } from "../../src/control/ports.ts";

class Model {
  queue: number[] = [];
  out: number[] = [];
  range: [number, number] | undefined;
}

const same = (pool: PortPool, m: Model): void => {
  if (JSON.stringify(pool.list()) !== JSON.stringify(m.queue)) throw new Error(`${pool.list()} != ${m.queue}`);
};
const throws = (fn: () => unknown): boolean => {
  try {
    fn();
    return false;
  } catch {
    return true;
  }
};

class Init implements fc.Command<Model, PortPool> {
  readonly min: number;
  readonly max: number;
  constructor(min: number, max: number) {
    this.min = min;
    this.max = max;
  }
  check = () => true;
  run(m: Model, pool: PortPool): void {
    const legal = m.range === undefined && this.min >= 1 && this.min <= this.max && this.max <= 65535;
    if (throws(() => pool.init(this.min, this.max)) === legal) throw new Error(`init ${this.min} ${this.max}`);
    if (!legal) return;
    m.range = [this.min, this.max];
    for (let p = this.min; p <= this.max; p++) m.queue.push(p);
    same(pool, m);
  }
  toString = () => `init ${this.min} ${this.max}`;
}
class Alloc implements fc.Command<Model, PortPool> {
  check = () => true;
  run(m: Model, pool: PortPool): void {
    const want = m.queue.shift();
    if (want === undefined) {
      if (!throws(() => pool.alloc())) throw new Error("alloc from an empty pool");
      return;
    }
    m.out.push(want);
    if (pool.alloc() !== want) throw new Error(`expected port ${want}`);
    same(pool, m);
  }
  toString = () => "alloc";
}
class Free implements fc.Command<Model, PortPool> {
  readonly port: number;
  constructor(port: number) {
    this.port = port;
  }
  check = () => true;
  run(m: Model, pool: PortPool): void {
    const at = m.out.indexOf(this.port);
    if (throws(() => pool.release(this.port)) === at >= 0) throw new Error(`free ${this.port}`);
    if (at >= 0) m.queue.push(...m.out.splice(at, 1));
    same(pool, m);
  }
  toString = () => `free ${this.port}`;
}
class Clear implements fc.Command<Model, PortPool> {
  check = () => true;
  run(m: Model, pool: PortPool): void {
    pool.clear();
    Object.assign(m, new Model());
    same(pool, m);
  }
  toString = () => "clear";
}

it("behaves like a queue", () => {
  const port = fc.integer({ min: 0, max: 12 });
  const commands = fc.commands([
    fc.tuple(port, port).map(([a, b]) => new Init(a, b)),
    fc.constant(new Alloc()),
    port.map((p) => new Free(p)),
    fc.constant(new Clear()),
  ]);
  fc.assert(
    fc.property(commands, (cmds) => {
      fc.modelRun(() => ({ model: new Model(), real: new PortPool() }), cmds);
    }),
    { numRuns: 500 },
  );
});
