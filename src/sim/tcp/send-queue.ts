/**
 * The send buffer, by reference: a connection reads the bytes of a segment from their source at the moment it sends
 * or retransmits them, so a 10 MB file is never copied into a buffer. Sources must keep giving the same bytes.
 */

/** Bytes with random access. */
export interface ByteSource {
  /** Number of bytes. */
  readonly length: number;
  /** Copies `len` bytes at `offset` to `dst[dstOff..]`; the range lies within the source. */
  read(offset: number, dst: Uint8Array, dstOff: number, len: number): void;
}

/** An array as a source; it is not copied. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    length: bytes.length,
    read(offset, dst, dstOff, len) {
      if (len < 64) for (let i = 0; i < len; i++) dst[dstOff + i] = bytes[offset + i];
      else dst.set(bytes.subarray(offset, offset + len), dstOff);
    },
  };
}

interface Piece {
  source: ByteSource;
  /** Connection offset of the piece's first byte, and of the byte behind its last. */
  start: number;
  end: number;
}

export class SendQueue {
  private readonly pieces: Piece[] = [];
  /** Connection offset behind the last byte queued; the first byte has offset 1. */
  end = 1;

  /** Appends a whole source. */
  append(source: ByteSource): void {
    if (source.length === 0) return;
    this.pieces.push({ source, start: this.end, end: this.end + source.length });
    this.end += source.length;
  }

  /** Copies the bytes at connection offset `from` to `dst`. */
  read(from: number, dst: Uint8Array, dstOff: number, len: number): void {
    for (let i = 0; len > 0; i++) {
      const p = this.pieces[i];
      if (from >= p.end) continue;
      const n = Math.min(len, p.end - from);
      p.source.read(from - p.start, dst, dstOff, n);
      from += n;
      dstOff += n;
      len -= n;
    }
  }

  /** Forgets the pieces that lie wholly below `offset`. */
  release(offset: number): void {
    while (this.pieces.length > 0 && this.pieces[0].end <= offset) this.pieces.shift();
  }

  clear(): void {
    this.pieces.length = 0;
  }
}
