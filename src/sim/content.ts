/**
 * What the services serve: data files of pseudo-random bytes that depend on the file's name only, so that every run and
 * every client can know their hash. They are computed when read, a block at a time, and never held as a whole.
 */
import type { Hasher } from "./sha256.ts";
import type { ByteSource } from "./tcp/send-queue.ts";

const MIB = 1_048_576;
/** Bytes of a block, and how many blocks of a source are kept: more than a receive window. */
const BLOCK = 32_768;
const KEPT = 32;

/** File names with their sizes in bytes. */
export const DATA_FILES: Readonly<Record<string, number>> = Object.fromEntries(
  [1, 2, 5, 10, 20, 50, 100].map((n) => [`data_${n}M.bin`, n * MIB]),
);

/** True where a number's least significant byte comes first in memory. */
const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/**
 * Pseudo-random bytes with random access. Block 0 is mixed from the seed; every word of block `n` is that of block 0 plus
 * `n` times an odd constant, so that no block has a word of another at the same place, and a block costs little.
 */
class RandomSource implements ByteSource {
  readonly length: number;
  private readonly seed: number;
  private base: Int32Array | undefined;
  private readonly blocks: Uint8Array[] = [];
  /** Number of the block that lies in each place. */
  private readonly held: number[] = new Array<number>(KEPT).fill(-1);

  constructor(length: number, seed: number) {
    this.length = length;
    this.seed = seed;
  }

  read(offset: number, dst: Uint8Array, dstOff: number, len: number): void {
    while (len > 0) {
      const at = offset % BLOCK;
      const n = Math.min(len, BLOCK - at);
      dst.set(this.block((offset - at) / BLOCK).subarray(at, at + n), dstOff);
      offset += n;
      dstOff += n;
      len -= n;
    }
  }

  private block(number: number): Uint8Array {
    const place = number % KEPT;
    if (this.held[place] !== number) {
      this.blocks[place] ??= new Uint8Array(BLOCK);
      this.fill(new Int32Array(this.blocks[place].buffer), number);
      this.held[place] = number;
    }
    return this.blocks[place];
  }

  private fill(words: Int32Array, number: number): void {
    this.base ??= mixedWords(this.seed);
    const { base } = this;
    const step = Math.imul(number, 0x9e3779b1);
    for (let i = 0; i < words.length; i++) words[i] = base[i] + step;
    if (!LITTLE_ENDIAN) swapWords(words);
  }
}

/** Block 0 of a source: a counter through a 32-bit mixer. */
function mixedWords(seed: number): Int32Array {
  const words = new Int32Array(BLOCK / 4);
  for (let i = 0; i < words.length; i++) {
    let h = Math.imul(i + 1, 0x9e3779b1) ^ seed;
    h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    words[i] = h ^ (h >>> 16);
  }
  return words;
}

function swapWords(words: Int32Array): void {
  const view = new DataView(words.buffer);
  for (let i = 0; i < words.length; i++) view.setInt32(4 * i, words[i], true);
}

/** 32-bit FNV-1a of a name. */
function nameSeed(name: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
  return h;
}

const files = new Map<string, ByteSource>();

/** A data file by its name (`data_10M.bin`), undefined when there is none. Files share their blocks among all readers. */
export function dataFile(name: string): ByteSource | undefined {
  if (!Object.hasOwn(DATA_FILES, name)) return undefined;
  let source = files.get(name);
  if (source === undefined) {
    source = new RandomSource(DATA_FILES[name], nameSeed(name));
    files.set(name, source);
  }
  return source;
}

/** `length` pseudo-random bytes, for request bodies; the same for the same length. */
export function requestBody(length: number): ByteSource {
  return new RandomSource(length, nameSeed(`request ${length}`));
}

/** The hash of a whole source, hex. */
export function hashSource(source: ByteSource, hasher: Hasher): string {
  const chunk = new Uint8Array(BLOCK);
  for (let at = 0; at < source.length; at += BLOCK) {
    const n = Math.min(BLOCK, source.length - at);
    source.read(at, chunk, 0, n);
    hasher.update(chunk, 0, n);
  }
  return hasher.hex();
}

/** Sentence that a service answers to /hello. `endpoint` is `<ip>:<port>`. */
export function helloText(serviceId: string, node: string, endpoint: string): string {
  return `HELLO '${serviceId}' from '${node}' listening on ${endpoint}`;
}
