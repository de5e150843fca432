/**
 * Reads a BPF ring buffer (Documentation/bpf/ringbuf.rst): one page of consumer position, one of producer position, then the
 * data, mapped twice so that every record is contiguous. A record is an 8-byte header (length with two flag bits) and its bytes.
 */
import { LabError } from "../errors.ts";
import { errnoName, mapInfo } from "./bpf.ts";
import { libc, MAP_SHARED, PROT_READ, PROT_WRITE } from "./libc.ts";

const PAGE = 4096;
const HEADER = 8;
const BUSY = 0x80000000;
const DISCARDED = 0x40000000;

export class RingReader {
  private readonly consumerAddr: number;
  private readonly dataAddr: number;
  private readonly consumer: Uint8Array;
  private readonly producer: DataView;
  private readonly data: Uint8Array;
  private readonly view: DataView;
  private readonly size: number;
  private position: bigint;

  /** Maps the ring of an open map; the descriptor may be closed afterwards. Throws LabError ERR_RING. */
  constructor(fd: number) {
    const c = libc();
    this.size = mapInfo(fd).maxEntries;
    this.consumerAddr = c.mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    this.dataAddr = this.consumerAddr === -1 ? -1 : c.mmap(PAGE + 2 * this.size, PROT_READ, MAP_SHARED, fd, PAGE);
    if (this.dataAddr === -1) {
      const errno = c.errno();
      if (this.consumerAddr !== -1) c.munmap(this.consumerAddr, PAGE);
      throw new LabError("ERR_RING", `cannot map the event ring: ${errnoName(errno)}`);
    }
    this.consumer = c.view(this.consumerAddr, PAGE);
    const rest = c.view(this.dataAddr, PAGE + 2 * this.size);
    this.producer = new DataView(rest.buffer, rest.byteOffset, PAGE);
    this.data = rest.subarray(PAGE);
    this.view = new DataView(rest.buffer, rest.byteOffset + PAGE);
    this.position = new DataView(this.consumer.buffer, this.consumer.byteOffset).getBigUint64(0, true);
  }

  /**
   * Hands over the records that are there, up to `max`, then frees their room; gives their number. The bytes are valid in
   * `each` only.
   */
  read(each: (record: Uint8Array) => void, max = Number.POSITIVE_INFINITY): number {
    let records = 0;
    const end = this.producer.getBigUint64(0, true);
    while (this.position < end && records < max) {
      const at = Number(this.position % BigInt(this.size));
      const header = this.view.getUint32(at, true);
      if ((header & BUSY) !== 0) break;
      const len = header & ~(BUSY | DISCARDED);
      if ((header & DISCARDED) === 0) {
        each(this.data.subarray(at + HEADER, at + HEADER + len));
        records++;
      }
      this.position += BigInt((HEADER + len + 7) & ~7);
    }
    new DataView(this.consumer.buffer, this.consumer.byteOffset).setBigUint64(0, this.position, true);
    return records;
  }

  close(): void {
    libc().munmap(this.dataAddr, PAGE + 2 * this.size);
    libc().munmap(this.consumerAddr, PAGE);
  }
}
