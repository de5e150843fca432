/** What a TCP segment costs end to end, both hosts, checksums computed and verified, over a pipe that costs next to nothing. */
import type { Skb } from "../src/dataplane/skb.ts";
import { Simulation } from "../src/sim/clock.ts";
import { DATA_FILES, dataFile } from "../src/sim/content.ts";
import { httpRequest } from "../src/sim/http-client.ts";
import { HttpServer } from "../src/sim/http-server.ts";
import { SkbPool } from "../src/sim/pool.ts";
import { Xoshiro128 } from "../src/sim/rng.ts";
import type { Hasher } from "../src/sim/sha256.ts";
import { sha256 } from "../src/sim/sha256.ts";
import { TcpStack } from "../src/sim/tcp/stack.ts";
import { type EventHandler, type IpLayer, L4_OFFSET, type ProtocolHandler, type Rng, SEC } from "../src/sim/types.ts";
import { wr32 } from "../src/wire/bytes.ts";
import { csumPartial, csumView } from "../src/wire/checksum.ts";

/** One host's end of a pipe of 60 us that loses nothing. */
class PipeIp implements IpLayer, EventHandler {
  readonly clock: Simulation;
  readonly rng: Rng;
  private readonly pool: SkbPool;
  private readonly addr: number;
  peer!: PipeIp;
  private tcp!: ProtocolHandler;
  private readonly line: (Skb | undefined)[] = new Array(4096).fill(undefined);
  private next = 0;

  constructor(clock: Simulation, pool: SkbPool, addr: number) {
    this.clock = clock;
    this.pool = pool;
    this.addr = addr;
    this.rng = new Xoshiro128(addr);
  }
  sourceFor(): number {
    return this.addr;
  }
  isLocal(addr: number): boolean {
    return addr === this.addr;
  }
  pathMtu(): number {
    return 1448;
  }
  allocate(l4Len: number): Skb {
    return this.pool.get(L4_OFFSET + l4Len);
  }
  register(_proto: number, handler: ProtocolHandler): void {
    this.tcp = handler;
  }
  output(skb: Skb, saddr: number, daddr: number): boolean {
    wr32(skb.buf, skb.head + 26, saddr);
    wr32(skb.buf, skb.head + 30, daddr);
    const slot = this.next++ & 4095;
    this.line[slot] = skb;
    this.clock.schedule(60_000, this, slot);
    return true;
  }
  fire(slot: number): void {
    const skb = this.line[slot] as Skb;
    this.peer.tcp.input(skb, skb.head + 14, skb.head + L4_OFFSET, skb.end);
    this.pool.put(skb);
  }
}

/** Counts bytes instead of hashing them: what remains is TCP and HTTP. */
const noHash = (): Hasher => ({ update() {}, hex: () => "" });

interface Run {
  ms: number;
  segments: number;
}

function download(name: string, hash: boolean): Run {
  const clock = new Simulation();
  const pool = new SkbPool();
  const ipA = new PipeIp(clock, pool, 0x0a000001);
  const ipB = new PipeIp(clock, pool, 0x0a000002);
  ipA.peer = ipB;
  ipB.peer = ipA;
  const client = new TcpStack(ipA);
  const server = new TcpStack(ipB);
  new HttpServer(server, { addr: 0x0a000002, port: 80, serviceId: "1", node: "b" });
  let size = 0;
  const start = performance.now();
  httpRequest(client, { ip: 0x0a000002, port: 80, path: `/${name}`, hasher: hash ? sha256 : noHash }, (r) => {
    size = r.size;
  });
  clock.run(60 * SEC);
  const ms = performance.now() - start;
  if (size !== DATA_FILES[name]) throw new Error(`${name}: ${size} bytes arrived`);
  return { ms, segments: client.stats.outSegs + server.stats.outSegs };
}

/** Least of several runs: the machine is shared. */
function best(runs: number, fn: () => Run): Run {
  let least = fn();
  for (let i = 1; i < runs; i++) {
    const r = fn();
    if (r.ms < least.ms) least = r;
  }
  return least;
}

function nsPerCall(fn: (i: number) => number): number {
  let sink = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 20; round++) {
    const start = performance.now();
    for (let i = 0; i < 5000; i++) sink += fn(i);
    least = Math.min(least, (performance.now() - start) * 200);
  }
  return sink < 0 ? 0 : least;
}

/** Prints ns per segment beside the floors: the checksums and the copy that no implementation can leave out. */
export async function benchTcp(print: (line: string) => void): Promise<void> {
  const frames = Array.from({ length: 256 }, () => new Uint8Array(1792).fill(0xa5));
  const views = frames.map((f) => new DataView(f.buffer));
  const bytes = nsPerCall((i) => csumPartial(frames[i & 255], 98, 1428));
  const words = nsPerCall((i) => csumView(views[i & 255], 98, 1428));
  const file = dataFile("data_10M.bin")!;
  const read = nsPerCall((i) => {
    file.read((i & 63) * 1396, frames[i & 255], 130, 1396);
    return 0;
  });
  print(`checksum of 1,428 bytes: ${bytes.toFixed(0)} ns by bytes, ${words.toFixed(0)} ns by words`);
  print(`reading 1,396 bytes of a data file: ${read.toFixed(0)} ns`);
  // Each data segment is read once and summed by both ends; two segments in three carry data, the third is an ACK.
  const floor = (DATA_FILES["data_10M.bin"] / 1396) * (read + 2 * words);
  const show = (what: string, r: Run, least: number): void =>
    print(
      `${what.padEnd(40)} ${r.ms.toFixed(1)} ms, ${r.segments} segments, ${((r.ms * 1e6) / r.segments).toFixed(0)} ns each   floor ${(least / 1e6).toFixed(1)} ms`,
    );
  show(
    "10 MB download, two hosts, no hash",
    best(8, () => download("data_10M.bin", false)),
    floor,
  );
  const hash = hashOf10M();
  show(
    "the same with SHA-256 in TypeScript",
    best(4, () => download("data_10M.bin", true)),
    floor + hash,
  );
}

/** SHA-256 in TypeScript of 10 MiB, ns. */
function hashOf10M(): number {
  const chunk = new Uint8Array(65_536);
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3; round++) {
    const hasher = sha256();
    const start = performance.now();
    for (let i = 0; i < 160; i++) hasher.update(chunk, 0, chunk.length);
    hasher.hex();
    least = Math.min(least, (performance.now() - start) * 1e6);
  }
  return least;
}
