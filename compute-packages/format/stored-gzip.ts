/**
 * gzip (RFC 1952) with stored blocks only (RFC 1951 §3.2.4): one spelling per content, so that an archive's
 * digest depends on no compressor, and reading needs none: nothing expands, so there are no bombs.
 */
import { crc32 } from "node:zlib";
import { equalBytes } from "../../lib/base/bytes.ts";
import { PackageError } from "./package-error.ts";

/** Deflate, no flags, no time, no extra flags, operating system unknown. */
const HEADER = new Uint8Array([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
const BLOCK_HEADER_BYTES = 5;
const TRAILER_BYTES = 8;
const MAX_BLOCK_BYTES = 65_535;

/** Wraps bytes (fewer than 2^32) into gzip; every block but the last is full. */
export function storedGzip(content: Uint8Array): Uint8Array {
  const blockCount = Math.max(1, Math.ceil(content.byteLength / MAX_BLOCK_BYTES));
  const size =
    HEADER.byteLength + blockCount * BLOCK_HEADER_BYTES + content.byteLength + TRAILER_BYTES;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  bytes.set(HEADER, 0);
  let at = HEADER.byteLength;
  for (let index = 0; index < blockCount; index++) {
    const block = content.subarray(index * MAX_BLOCK_BYTES, (index + 1) * MAX_BLOCK_BYTES);
    bytes[at] = index === blockCount - 1 ? 1 : 0;
    view.setUint16(at + 1, block.byteLength, true);
    view.setUint16(at + 3, block.byteLength ^ 0xffff, true);
    bytes.set(block, at + BLOCK_HEADER_BYTES);
    at += BLOCK_HEADER_BYTES + block.byteLength;
  }
  view.setUint32(at, crc32(content), true);
  view.setUint32(at + 4, content.byteLength, true);
  return bytes;
}

/**
 * The content of what storedGzip writes. The caller re-writes and compares, which catches the other spellings
 * (times, short blocks); here only what stands in the way of reading is refused.
 * @throws PackageError "archive-not-canonical" | "archive-corrupt"
 */
export function readStoredGzip(bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength < HEADER.byteLength + BLOCK_HEADER_BYTES + TRAILER_BYTES) {
    throw new PackageError("archive-corrupt", "the archive is shorter than an empty one");
  }
  if (!equalBytes(bytes.subarray(0, HEADER.byteLength), HEADER)) {
    throw new PackageError("archive-not-canonical", "the archive was not written by Fedclave");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const content = new Uint8Array(bytes.byteLength);
  const end = bytes.byteLength - TRAILER_BYTES;
  let size = 0;
  let at = HEADER.byteLength;
  for (let isLast = false; !isLast; ) {
    if (at + BLOCK_HEADER_BYTES > end) throw cut();
    const kind = view.getUint8(at);
    if (kind > 1) {
      throw new PackageError("archive-not-canonical", "the archive is compressed; it must not be");
    }
    const blockBytes = view.getUint16(at + 1, true);
    if ((view.getUint16(at + 3, true) ^ 0xffff) !== blockBytes) {
      throw new PackageError("archive-corrupt", "a block's length and its complement differ");
    }
    at += BLOCK_HEADER_BYTES;
    if (at + blockBytes > end) throw cut();
    content.set(bytes.subarray(at, at + blockBytes), size);
    size += blockBytes;
    at += blockBytes;
    isLast = kind === 1;
  }
  const found = content.subarray(0, size);
  if (at !== end || view.getUint32(end + 4, true) !== size) throw cut();
  if (view.getUint32(end, true) !== crc32(found)) {
    throw new PackageError("archive-corrupt", "the archive's checksum does not match");
  }
  return found;
}

const cut = (): PackageError =>
  new PackageError("archive-corrupt", "the archive is cut short or has trailing bytes");
