/** Writes zip archives of stored members with fixed times: the same members give the same bytes. */
import { crc32 } from "node:zlib";
import { concatBytes, utf8 } from "../../base/bytes.ts";
import { TensorError } from "../tensor-error.ts";
import type { ZipMember } from "./zip-reader.ts";

const VERSION = 20;
const UTF8_FLAG = 1 << 11;
/** 1980-01-01, the earliest a zip can say. */
const DATE = 0x21;
/** What zip without zip64 can point at. */
const MAX_ARCHIVE_BYTES = 2 ** 32 - 2;

/** @throws TensorError "too-large" for an archive past 4 GiB */
export function writeZip(members: readonly ZipMember[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const { name, data } of members) {
    const local = localHeader(utf8(name), data);
    directory.push(directoryEntry(local, offset), utf8(name));
    parts.push(local, utf8(name), data);
    offset += local.byteLength + utf8(name).byteLength + data.byteLength;
    if (offset > MAX_ARCHIVE_BYTES) throw new TensorError("too-large", "past 4 GiB in one .npz");
  }
  const directoryBytes = directory.reduce((sum, part) => sum + part.byteLength, 0);
  const end = endRecord(members.length, directoryBytes, offset);
  return concatBytes(...parts, ...directory, end);
}

function localHeader(name: Uint8Array, data: Uint8Array): Uint8Array {
  const header = new DataView(new ArrayBuffer(30));
  header.setUint32(0, 0x04034b50, true);
  header.setUint16(4, VERSION, true);
  header.setUint16(6, UTF8_FLAG, true);
  header.setUint16(12, DATE, true);
  header.setUint32(14, crc32(data), true);
  header.setUint32(18, data.byteLength, true);
  header.setUint32(22, data.byteLength, true);
  header.setUint16(26, name.byteLength, true);
  return new Uint8Array(header.buffer);
}

/** Repeats the local header from its version on. */
function directoryEntry(local: Uint8Array, offset: number): Uint8Array {
  const entry = new Uint8Array(46);
  const view = new DataView(entry.buffer);
  view.setUint32(0, 0x02014b50, true);
  view.setUint16(4, VERSION, true);
  entry.set(local.subarray(4), 6);
  view.setUint32(42, offset, true);
  return entry;
}

function endRecord(count: number, directoryBytes: number, directoryOffset: number): Uint8Array {
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, count, true);
  end.setUint16(10, count, true);
  end.setUint32(12, directoryBytes, true);
  end.setUint32(16, directoryOffset, true);
  return new Uint8Array(end.buffer);
}
