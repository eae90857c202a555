/**
 * Strict reader of small zip archives in memory, for .npz. Members must tile the archive from its first byte to
 * the central directory, so two readers cannot see different members and nothing hides between them.
 */
import { crc32, inflateRawSync } from "node:zlib";
import { equalBytes } from "../../base/bytes.ts";
import { MAX_TENSORS } from "../limits.ts";
import { TensorError } from "../tensor-error.ts";

export type ZipMember = { readonly name: string; readonly data: Uint8Array };

/** A central directory entry; numbers are the archive's claims until readMember compared them. */
type Entry = {
  readonly name: Uint8Array;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly packedBytes: number;
  readonly sizeBytes: number;
  readonly localOffset: number;
};

const END_MAGIC = 0x06054b50;
const END_BYTES = 22;
const CENTRAL_MAGIC = 0x02014b50;
const CENTRAL_BYTES = 46;
const LOCAL_MAGIC = 0x04034b50;
const LOCAL_BYTES = 30;
const DESCRIPTOR_MAGIC = 0x08074b50;
const ZIP64_EXTRA = 1;
/** Bits 1 and 2 tell the compression level, 3 that sizes follow the data, 11 that names are UTF-8. */
const KNOWN_FLAGS = 0b1000_0000_1110;
const DESCRIPTOR_FLAG = 1 << 3;
const UTF8_FLAG = 1 << 11;
const STORED = 0;
const DEFLATED = 8;
const IN_ZIP64 = 0xffffffff;

/**
 * All members in the order of the central directory; stored ones are views of the archive.
 * @param maxBytes  most bytes of all members together once inflated; checked before anything is inflated
 * @throws TensorError "zip-malformed" | "zip-unsupported" (encryption, other methods, past 4 GiB, comments) |
 *   "zip-checksum" | "too-large" | "too-many-tensors" | "bad-name"
 */
export function readZip(archive: Uint8Array, maxBytes: number): readonly ZipMember[] {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const { entries, directoryOffset } = readDirectory(archive, view);
  const total = entries.reduce((sum, entry) => sum + entry.sizeBytes, 0);
  if (total > maxBytes) {
    throw new TensorError("too-large", `members claim ${total} bytes, at most ${maxBytes}`);
  }
  const ordered = entries.toSorted((a, b) => a.localOffset - b.localOffset);
  if ((ordered[0]?.localOffset ?? directoryOffset) !== 0)
    malformed("bytes before the first member");
  const data = new Map<Entry, Uint8Array>();
  ordered.forEach((entry, index) => {
    const end = ordered[index + 1]?.localOffset ?? directoryOffset;
    data.set(entry, readMember(archive, view, entry, end));
  });
  return entries.map((entry) => ({
    name: memberName(entry),
    data: data.get(entry) ?? new Uint8Array(0),
  }));
}

function readDirectory(archive: Uint8Array, view: DataView) {
  const endAt = archive.byteLength - END_BYTES;
  if (endAt < 0 || view.getUint32(endAt, true) !== END_MAGIC) {
    malformed("no end of central directory at the end, or a comment behind it");
  }
  const count = view.getUint16(endAt + 10, true);
  const directoryBytes = view.getUint32(endAt + 12, true);
  const directoryOffset = view.getUint32(endAt + 16, true);
  const isOneDisk = view.getUint32(endAt + 4, true) === 0;
  if (!isOneDisk || view.getUint16(endAt + 8, true) !== count) unsupported("several disks");
  if (count === 0xffff || directoryOffset === IN_ZIP64) unsupported("more than 4 GiB");
  if (directoryOffset + directoryBytes !== endAt) malformed("the directory is not before the end");
  if (view.getUint16(endAt + 20, true) !== 0) malformed("an archive comment");
  if (count > MAX_TENSORS) throw new TensorError("too-many-tensors", `${count} members`);
  const entries: Entry[] = [];
  let at = directoryOffset;
  for (let i = 0; i < count; i++) {
    const { entry, end } = readEntry(archive, view, at, endAt);
    entries.push(entry);
    at = end;
  }
  if (at !== endAt) malformed("bytes behind the last directory entry");
  return { entries, directoryOffset };
}

function readEntry(archive: Uint8Array, view: DataView, at: number, endAt: number) {
  if (at + CENTRAL_BYTES > endAt || view.getUint32(at, true) !== CENTRAL_MAGIC) {
    malformed("a directory entry is cut off or unmarked");
  }
  const nameEnd = at + CENTRAL_BYTES + view.getUint16(at + 28, true);
  const end = nameEnd + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  if (end > endAt) malformed("a directory entry is cut off");
  const entry: Entry = {
    name: archive.subarray(at + CENTRAL_BYTES, nameEnd),
    flags: view.getUint16(at + 8, true),
    method: view.getUint16(at + 10, true),
    crc: view.getUint32(at + 16, true),
    packedBytes: view.getUint32(at + 20, true),
    sizeBytes: view.getUint32(at + 24, true),
    localOffset: view.getUint32(at + 42, true),
  };
  if ((entry.flags & ~KNOWN_FLAGS) !== 0) unsupported("encryption or another feature");
  if (entry.method !== STORED && entry.method !== DEFLATED) unsupported("a compression method");
  const largest = Math.max(entry.packedBytes, entry.sizeBytes, entry.localOffset);
  if (largest === IN_ZIP64) unsupported("more than 4 GiB");
  return { entry, end };
}

function readMember(archive: Uint8Array, view: DataView, entry: Entry, end: number): Uint8Array {
  const at = entry.localOffset;
  if (at + LOCAL_BYTES > end || view.getUint32(at, true) !== LOCAL_MAGIC) {
    malformed("a member is cut off or unmarked");
  }
  const nameEnd = at + LOCAL_BYTES + view.getUint16(at + 26, true);
  const dataStart = nameEnd + view.getUint16(at + 28, true);
  const dataEnd = dataStart + entry.packedBytes;
  if (dataEnd > end) malformed("a member ends behind its successor's start");
  const isSame =
    view.getUint16(at + 6, true) === entry.flags &&
    view.getUint16(at + 8, true) === entry.method &&
    equalBytes(archive.subarray(at + LOCAL_BYTES, nameEnd), entry.name);
  if (!isSame) malformed("a member's header differs from its directory entry");
  if (entry.flags & DESCRIPTOR_FLAG) {
    checkDescriptor(view, entry, dataEnd, end);
  } else {
    checkLocalSizes(view, entry, at, nameEnd, dataStart);
    if (dataEnd !== end) malformed("bytes behind a member");
  }
  return unpack(archive.subarray(dataStart, dataEnd), entry);
}

/** Python writes sizes into a zip64 extra when it does not know them beforehand, and numpy always asks it to. */
function checkLocalSizes(
  view: DataView,
  entry: Entry,
  at: number,
  extraStart: number,
  extraEnd: number,
): void {
  let packedBytes = view.getUint32(at + 18, true);
  let sizeBytes = view.getUint32(at + 22, true);
  const extraBytes = 20;
  for (let i = extraStart; i + extraBytes <= extraEnd; i += 4 + view.getUint16(i + 2, true)) {
    const isWhole = view.getUint16(i, true) === ZIP64_EXTRA && view.getUint16(i + 2, true) === 16;
    if (isWhole && packedBytes === IN_ZIP64 && sizeBytes === IN_ZIP64) {
      sizeBytes = Number(view.getBigUint64(i + 4, true));
      packedBytes = Number(view.getBigUint64(i + 12, true));
      break;
    }
  }
  const isSame =
    view.getUint32(at + 14, true) === entry.crc &&
    packedBytes === entry.packedBytes &&
    sizeBytes === entry.sizeBytes;
  if (!isSame) malformed("a member's sizes differ from its directory entry's");
}

/** Four forms: with or without its magic, with 4-byte or 8-byte sizes. */
function checkDescriptor(view: DataView, entry: Entry, start: number, end: number): void {
  const length = end - start;
  const hasMagic = length === 16 || length === 24;
  const isLong = length === 20 || length === 24;
  if (!hasMagic && length !== 12 && length !== 20) malformed("no data descriptor behind a member");
  const at = start + (hasMagic ? 4 : 0);
  const size = (offset: number): number =>
    isLong ? Number(view.getBigUint64(at + offset, true)) : view.getUint32(at + offset, true);
  const isSame =
    (!hasMagic || view.getUint32(start, true) === DESCRIPTOR_MAGIC) &&
    view.getUint32(at, true) === entry.crc &&
    size(4) === entry.packedBytes &&
    size(isLong ? 12 : 8) === entry.sizeBytes;
  if (!isSame) malformed("a data descriptor differs from its directory entry");
}

function unpack(packed: Uint8Array, entry: Entry): Uint8Array {
  const data = entry.method === STORED ? packed : inflate(packed, entry.sizeBytes);
  if (data.byteLength !== entry.sizeBytes) malformed("a member has another size than it claims");
  if (crc32(data) !== entry.crc) throw new TensorError("zip-checksum", "a member is corrupted");
  return data;
}

function inflate(packed: Uint8Array, sizeBytes: number): Uint8Array {
  try {
    // zlib wants room for at least one byte; a byte too many shows in the size. `info` tells what was consumed.
    const options = { maxOutputLength: Math.max(sizeBytes, 1), info: true };
    const { buffer, engine } = inflateRawSync(packed, options) as unknown as Inflated;
    if (engine.bytesWritten === packed.byteLength) return buffer;
  } catch (cause) {
    throw new TensorError("zip-malformed", "a member does not inflate to its size", { cause });
  }
  return malformed("bytes behind a member's compressed data");
}

type Inflated = { readonly buffer: Uint8Array; readonly engine: { readonly bytesWritten: number } };

function memberName({ name, flags }: Entry): string {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(name);
    if (flags & UTF8_FLAG || text.length === name.byteLength) return text;
  } catch {
    // Told below: the bytes would be in an older code page.
  }
  throw new TensorError("bad-name", "a member's name is neither ASCII nor marked as UTF-8");
}

function malformed(what: string): never {
  throw new TensorError("zip-malformed", what);
}

function unsupported(what: string): never {
  throw new TensorError("zip-unsupported", what);
}
