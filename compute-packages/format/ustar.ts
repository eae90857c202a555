/** POSIX ustar, the least of it: regular files with short names, in 512-byte records. */
import { concatBytes, utf8 } from "../../lib/base/bytes.ts";
import { MAX_FILE_BYTES, MAX_FILES } from "./limits.ts";
import { PackageError } from "./package-error.ts";
import { isPackagePath } from "./paths.ts";

const RECORD_BYTES = 512;
const REGULAR_FILE = 0x30;
const CHECKSUM = { at: 148, sizeBytes: 8 } as const;
const KIND_AT = 156;

/**
 * A tar of these files in the given order: mode 0644, owner 0, time 0, two zero records at the end.
 * @param files  paths that isPackagePath accepts
 */
export function writeUstar(
  files: Iterable<readonly [path: string, content: Uint8Array]>,
): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [path, content] of files) {
    parts.push(header(path, content.byteLength), content);
    parts.push(new Uint8Array(paddingOf(content.byteLength)));
  }
  return concatBytes(...parts, new Uint8Array(2 * RECORD_BYTES));
}

/**
 * Files of a tar, in its order; contents are views of the input. Only regular files with allowed paths:
 * links, folders, devices and extended headers are refused by their kind.
 * @throws PackageError "archive-corrupt" | "entry-refused" | "path-refused" | "path-repeated" |
 *   "file-too-large" | "too-many-files"
 */
export function readUstar(tar: Uint8Array): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  let at = 0;
  for (;;) {
    const record = tar.subarray(at, at + RECORD_BYTES);
    if (record.byteLength < RECORD_BYTES) throw corrupt("it ends within a header");
    if (record.every((byte) => byte === 0)) break;
    if (files.size === MAX_FILES) {
      throw new PackageError("too-many-files", `the archive has more than ${MAX_FILES} files`);
    }
    const { path, sizeBytes } = readHeader(record);
    if (files.has(path)) throw new PackageError("path-repeated", `${path} is there twice`);
    at += RECORD_BYTES;
    if (at + sizeBytes > tar.byteLength) throw corrupt("it ends within a file");
    files.set(path, tar.subarray(at, at + sizeBytes));
    at += sizeBytes + paddingOf(sizeBytes);
  }
  if (tar.byteLength - at !== 2 * RECORD_BYTES) throw corrupt("its end is not two zero records");
  return files;
}

function readHeader(record: Uint8Array): { path: string; sizeBytes: number } {
  const text = Buffer.from(record).toString("latin1");
  const stored = Number.parseInt(text.slice(CHECKSUM.at, CHECKSUM.at + 6), 8);
  if (stored !== checksumOf(record)) throw corrupt("a header's checksum does not match");
  const kind = record[KIND_AT];
  if (kind !== REGULAR_FILE) {
    const shown = JSON.stringify(text.charAt(KIND_AT));
    throw new PackageError("entry-refused", `an entry has kind ${shown}; only files are allowed`);
  }
  const path = text.slice(0, 100).replace(/\0+$/, "");
  if (!isPackagePath(path)) {
    throw new PackageError("path-refused", `${JSON.stringify(path)} is not an allowed path`);
  }
  const size = text.slice(124, 135);
  if (!/^[0-7]{11}$/.test(size)) throw corrupt("a file size is not 11 octal digits");
  const sizeBytes = Number.parseInt(size, 8);
  if (sizeBytes > MAX_FILE_BYTES) {
    throw new PackageError("file-too-large", `${path} has more than ${MAX_FILE_BYTES} bytes`);
  }
  return { path, sizeBytes };
}

function header(path: string, sizeBytes: number): Uint8Array {
  const record = new Uint8Array(RECORD_BYTES);
  const put = (at: number, text: string) => record.set(utf8(text), at);
  put(0, path);
  put(100, "0000644\0");
  put(108, "0000000\0");
  put(116, "0000000\0");
  put(124, `${sizeBytes.toString(8).padStart(11, "0")}\0`);
  put(136, "00000000000\0");
  record[KIND_AT] = REGULAR_FILE;
  put(257, "ustar\x0000");
  put(329, "0000000\0");
  put(337, "0000000\0");
  put(CHECKSUM.at, `${checksumOf(record).toString(8).padStart(6, "0")}\0 `);
  return record;
}

/** Sum of the header's bytes, its checksum field counted as spaces. */
function checksumOf(record: Uint8Array): number {
  let sum = CHECKSUM.sizeBytes * 0x20;
  record.forEach((byte, at) => {
    if (at < CHECKSUM.at || at >= CHECKSUM.at + CHECKSUM.sizeBytes) sum += byte;
  });
  return sum;
}

const paddingOf = (sizeBytes: number): number => -sizeBytes & (RECORD_BYTES - 1);

const corrupt = (why: string): PackageError =>
  new PackageError("archive-corrupt", `the archive is damaged: ${why}`);
