/** The pool of GUE tunnel ports of one host: first in, first out, over an inclusive range (the demo's port_* scripts). */
import { LabError } from "../errors.ts";

export class PortPool {
  private min = 0;
  private max = -1;
  private free: number[] = [];
  private readonly out = new Set<number>();

  /** True between `init` and `clear`. */
  get ready(): boolean {
    return this.max >= this.min;
  }

  /** True when the pool was made for exactly this range. */
  covers(min: number, max: number): boolean {
    return this.ready && this.min === min && this.max === max;
  }

  /** Fills the pool with min..max. Throws ERR_PORT_RANGE, ERR_PORT_POOL_IN_USE. */
  init(min: number, max: number): void {
    if (!(Number.isInteger(min) && Number.isInteger(max) && min >= 1 && max <= 65535 && min <= max))
      throw new LabError("ERR_PORT_RANGE", `port range ${min}-${max}: expected 1 <= min <= max <= 65535`);
    if (this.ready)
      throw new LabError("ERR_PORT_POOL_IN_USE", `the port pool already holds ${this.min}-${this.max}`, {
        hint: "A host has one pool: use the same range, or pfc_stop the last nic to clear it.",
      });
    this.min = min;
    this.max = max;
    this.free = Array.from({ length: max - min + 1 }, (_, i) => min + i);
  }

  /** Takes the port that has been free longest. Throws ERR_PORT_POOL_EMPTY. */
  alloc(): number {
    const port = this.free.shift();
    if (port === undefined)
      throw new LabError(
        "ERR_PORT_POOL_EMPTY",
        this.ready ? `no port left in the pool ${this.min}-${this.max}` : "the port pool is not initialised",
        { hint: this.ready ? "Free one with port_free or pfc_delete." : "Run port_init or pfc_start first." },
      );
    this.out.add(port);
    return port;
  }

  /** Appends a port that was allocated. Throws ERR_PORT_NOT_ALLOCATED (double free), ERR_PORT_RANGE. */
  release(port: number): void {
    if (!this.ready || port < this.min || port > this.max)
      throw new LabError(
        "ERR_PORT_RANGE",
        this.ready
          ? `port ${port} is outside the pool's range ${this.min}-${this.max}`
          : `port ${port}: the port pool is not initialised`,
      );
    if (!this.out.delete(port))
      throw new LabError("ERR_PORT_NOT_ALLOCATED", `port ${port} is free already`, {
        hint: "Only a port that port_alloc or pfc_add handed out can be freed.",
      });
    this.free.push(port);
  }

  clear(): void {
    this.min = 0;
    this.max = -1;
    this.free = [];
    this.out.clear();
  }

  /** Free ports in the order in which they will be handed out. */
  list(): readonly number[] {
    return this.free;
  }

  /** Ports that are handed out, ascending. */
  allocated(): number[] {
    return [...this.out].sort((a, b) => a - b);
  }
}
