import { describe, expect, it } from "vitest";
import { PortPool } from "../../src/control/ports.ts";

describe("PortPool", () => {
  it("hands ports out first in, first out", () => {
    const pool = new PortPool();
    pool.init(5000, 5002);
    expect([pool.alloc(), pool.alloc()]).toEqual([5000, 5001]);
    pool.release(5000);
    expect(pool.list()).toEqual([5002, 5000]);
    expect(pool.allocated()).toEqual([5001]);
  });

  it("names each misuse", () => {
    const pool = new PortPool();
    expect(() => pool.alloc()).toThrow("not initialised");
    expect(() => pool.init(10, 9)).toThrow("expected 1 <= min <= max");
    pool.init(7, 7);
    expect(() => pool.init(7, 7)).toThrow("already holds 7-7");
    pool.alloc();
    expect(() => pool.alloc()).toThrow("no port left in the pool 7-7");
    expect(() => pool.release(8)).toThrow("outside the pool's range 7-7");
    pool.release(7);
    expect(() => pool.release(7)).toThrow("free already");
  });
});
