/**
 * bpf(2), the commands that guelab needs (include/uapi/linux/bpf.h): maps one by one and in batches, pinned objects,
 * BPF_PROG_TEST_RUN. Nothing here allocates per call; results that the kernel writes are read from `Memory`.
 */
import { LabError } from "../errors.ts";
import { libc, type Memory, memory } from "./libc.ts";

const MAP_CREATE = 0;
const MAP_LOOKUP_ELEM = 1;
const MAP_UPDATE_ELEM = 2;
const MAP_DELETE_ELEM = 3;
const MAP_GET_NEXT_KEY = 4;
const OBJ_PIN = 6;
const OBJ_GET = 7;
const PROG_TEST_RUN = 10;
const OBJ_GET_INFO_BY_FD = 15;
const MAP_LOOKUP_BATCH = 24;
const MAP_LOOKUP_AND_DELETE_BATCH = 25;
const MAP_UPDATE_BATCH = 26;

/** BPF_MAP_TYPE_ numbers by the names that the schema and the C header use. */
export const MAP_TYPES: Readonly<Record<string, number>> = {
  BPF_MAP_TYPE_HASH: 1,
  BPF_MAP_TYPE_ARRAY: 2,
  BPF_MAP_TYPE_PERCPU_HASH: 5,
  BPF_MAP_TYPE_PERCPU_ARRAY: 6,
  BPF_MAP_TYPE_LRU_HASH: 9,
  BPF_MAP_TYPE_RINGBUF: 27,
};

const EPERM = 1;
export const ENOENT = 2;
export const E2BIG = 7;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
const ENOSPC = 28;
const ENOTSUPP = 524;

const ERRNO_NAMES: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  7: "E2BIG",
  9: "EBADF",
  12: "ENOMEM",
  13: "EACCES",
  14: "EFAULT",
  16: "EBUSY",
  17: "EEXIST",
  19: "ENODEV",
  22: "EINVAL",
  28: "ENOSPC",
  95: "EOPNOTSUPP",
  524: "ENOTSUPP",
};
export const errnoName = (n: number): string => ERRNO_NAMES[n] ?? `errno ${n}`;

/** What the kernel refused: a LabError that also says which errno. */
export class BpfError extends LabError {
  readonly errno: number;
  constructor(what: string, errno: number) {
    const denied = errno === EPERM;
    super(denied ? "ERR_NO_BPF" : "ERR_BPF", `${what}: ${errnoName(errno)}`, {
      hint: denied ? "eBPF needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN." : undefined,
    });
    this.errno = errno;
  }
}

const ATTR_SIZE = 128;
let attrMemory: Memory | undefined;

/** The attribute block, zeroed. One for all calls: bpf(2) reads it before it returns. */
function attr(): DataView {
  attrMemory ??= memory(ATTR_SIZE);
  attrMemory.bytes.fill(0);
  return attrMemory.view;
}

function put64(view: DataView, off: number, value: number): void {
  view.setUint32(off, value % 0x100000000, true);
  view.setUint32(off + 4, Math.floor(value / 0x100000000), true);
}

/** Makes the call; a negative number is minus the errno. */
function call(cmd: number): number {
  const ret = libc().bpf(cmd, (attrMemory as Memory).addr, ATTR_SIZE);
  return ret < 0 ? -libc().errno() : ret;
}

const must = (ret: number, what: string): number => {
  if (ret < 0) throw new BpfError(what, -ret);
  return ret;
};

/** Creates a map; gives its file descriptor. `name` is cut to the kernel's 15 characters. */
export function mapCreate(type: number, name: string, keySize: number, valueSize: number, maxEntries: number): number {
  const a = attr();
  a.setUint32(0, type, true);
  a.setUint32(4, keySize, true);
  a.setUint32(8, valueSize, true);
  a.setUint32(12, maxEntries, true);
  for (let i = 0; i < Math.min(name.length, 15); i++) a.setUint8(28 + i, name.charCodeAt(i));
  return must(call(MAP_CREATE), `cannot create the map ${name} with ${maxEntries} entries`);
}

function elem(cmd: number, fd: number, key: number, value: number, flags: number): number {
  const a = attr();
  a.setUint32(0, fd, true);
  put64(a, 8, key);
  put64(a, 16, value);
  a.setUint32(24, flags, true);
  return call(cmd);
}

/** Each gives 0 or minus the errno; keys and values are addresses. */
export const mapLookup = (fd: number, key: number, value: number): number => elem(MAP_LOOKUP_ELEM, fd, key, value, 0);
export const mapUpdate = (fd: number, key: number, value: number, flags: number): number =>
  elem(MAP_UPDATE_ELEM, fd, key, value, flags);
export const mapDelete = (fd: number, key: number): number => elem(MAP_DELETE_ELEM, fd, key, 0, 0);
/** `key` 0 asks for the first key. -ENOENT behind the last. */
export const mapNextKey = (fd: number, key: number, next: number): number => elem(MAP_GET_NEXT_KEY, fd, key, next, 0);

function batch(cmd: number, fd: number, cursor: Memory, first: boolean, keys: number, values: number, count: number) {
  const a = attr();
  put64(a, 0, first ? 0 : cursor.addr);
  put64(a, 8, cursor.addr);
  put64(a, 16, keys);
  put64(a, 24, values);
  a.setUint32(32, count, true);
  a.setUint32(36, fd, true);
  return call(cmd);
}

/** Number of elements that the last batch call handled. */
export const batchCount = (): number => (attrMemory as Memory).view.getUint32(32, true);

/**
 * Reads up to `count` elements into `keys` and `values` (addresses), with `drain` deleting them. True when these were the
 * last; `cursor` (16 bytes) carries on between calls. Throws BpfError; ENOTSUPP where the kernel has no batches for the map.
 */
export function mapReadBatch(
  fd: number,
  cursor: Memory,
  first: boolean,
  keys: number,
  values: number,
  count: number,
  drain = false,
): boolean {
  const ret = batch(drain ? MAP_LOOKUP_AND_DELETE_BATCH : MAP_LOOKUP_BATCH, fd, cursor, first, keys, values, count);
  if (ret === -ENOENT) return true;
  must(ret === -EINVAL ? -ENOTSUPP : ret, "cannot read a batch of map elements");
  return false;
}

/** Writes `count` elements. Throws BpfError. */
export function mapUpdateBatch(fd: number, keys: number, values: number, count: number): void {
  const a = attr();
  put64(a, 16, keys);
  put64(a, 24, values);
  a.setUint32(32, count, true);
  a.setUint32(36, fd, true);
  must(call(MAP_UPDATE_BATCH), "cannot write a batch of map elements");
}

/** True when an error of the two calls above means "not one batch at a time, this map". */
export const noBatch = (err: unknown): boolean =>
  err instanceof BpfError && (err.errno === ENOTSUPP || err.errno === 95 || err.errno === ENOSPC);

function pathAttr(path: string): { a: DataView; keep: Memory } {
  const text = new TextEncoder().encode(`${path}\0`);
  const keep = memory(text.length);
  keep.bytes.set(text);
  const a = attr();
  put64(a, 0, keep.addr);
  return { a, keep };
}

/** Pins a map or program at a path on bpffs. */
export function objPin(fd: number, path: string): void {
  const { a } = pathAttr(path);
  a.setUint32(8, fd, true);
  must(call(OBJ_PIN), `cannot pin at ${path}`);
}

/** Opens a pinned map or program; gives its file descriptor. */
export function objGet(path: string): number {
  pathAttr(path);
  return must(call(OBJ_GET), `cannot open ${path}`);
}

export interface MapInfo {
  type: number;
  id: number;
  keySize: number;
  valueSize: number;
  maxEntries: number;
}

function info(fd: number, size: number): DataView {
  const out = memory(size);
  const a = attr();
  a.setUint32(0, fd, true);
  a.setUint32(4, size, true);
  put64(a, 8, out.addr);
  must(call(OBJ_GET_INFO_BY_FD), "cannot ask about a BPF object");
  return out.view;
}

/** Facts of a map (struct bpf_map_info). */
export function mapInfo(fd: number): MapInfo {
  const v = info(fd, 88);
  const at = (off: number): number => v.getUint32(off, true);
  return { type: at(0), id: at(4), keySize: at(8), valueSize: at(12), maxEntries: at(16) };
}

/** Kernel-wide id of a program (struct bpf_prog_info). */
export const progId = (fd: number): number => info(fd, 16).getUint32(4, true);

/** Byte offsets in struct __sk_buff, the context of BPF_PROG_TEST_RUN. */
const CTX_SIZE = 192;
export const CTX_MARK = 8;
export const CTX_IFINDEX = 40;
export const CTX_CB = 48;
export const CTX_GSO_SIZE = 176;

/**
 * One test run set up once and made many times: fill `frame` and `ctx`, call `run`, read `retval`, `outLen`, `out` and
 * `ctxOut`.
 */
export class TestRun {
  readonly frame: Memory;
  readonly ctx: Memory = memory(CTX_SIZE);
  readonly out: Memory;
  readonly ctxOut: Memory = memory(CTX_SIZE);
  private readonly attr: Memory = memory(ATTR_SIZE);
  private readonly libc = libc();

  constructor(maxLen = 4096) {
    this.frame = memory(maxLen);
    this.out = memory(maxLen);
    const a = this.attr.view;
    put64(a, 16, this.frame.addr);
    put64(a, 24, this.out.addr);
    put64(a, 48, this.ctx.addr);
    put64(a, 56, this.ctxOut.addr);
  }

  /** Runs the program on the first `len` bytes of `frame`, `repeat` times; 0, or minus the errno. */
  run(fd: number, len: number, repeat = 1): number {
    const a = this.attr.view;
    a.setUint32(0, fd, true);
    a.setUint32(8, len, true);
    a.setUint32(12, this.out.bytes.length, true);
    a.setUint32(32, repeat, true);
    a.setUint32(40, CTX_SIZE, true);
    a.setUint32(44, CTX_SIZE, true);
    const ret = this.libc.bpf(PROG_TEST_RUN, this.attr.addr, ATTR_SIZE);
    return ret < 0 ? -this.libc.errno() : ret;
  }

  /** The program's return value. */
  get retval(): number {
    return this.attr.view.getInt32(4, true);
  }

  /** Bytes in `out`. */
  get outLen(): number {
    return this.attr.view.getUint32(12, true);
  }

  /** Mean run time in ns of the repetitions, as the kernel measured it. */
  get durationNs(): number {
    return this.attr.view.getUint32(36, true);
  }
}
