/** Pseudo-files in memory for attesters: what a kernel gives when files are opened, read, written and closed. */
import { constants } from "node:fs";
import type { DeviceHandle } from "../device-file.ts";

/** An error as Node throws it for a system call. */
export function systemError(code: string, call: string): Error {
  return Object.assign(new Error(`${code}: ${call}`), { code });
}

/** How one file behaves. A file that cannot be read or written refuses to be opened for it. */
export type FakeFile = {
  /** Makes the content; called when the file is opened, or first read, as `madeOn` says. */
  readonly content?: () => Uint8Array;
  /** Takes one write. @returns how many bytes were taken */
  readonly store?: (bytes: Uint8Array) => number;
  /** Takes everything that was written, when the file is closed; what it throws is lost, as in configfs. */
  readonly release?: (bytes: Uint8Array) => void;
  /** Of everything that is gathered for `release`; a write beyond it is refused. */
  readonly maxBytes?: number;
  readonly madeOn: "open" | "read";
};

/** Largest piece that one read gives, so that readers must go on. */
const READ_BYTES = 1000;

/**
 * Opens such a file.
 * @param onClose  called once
 * @throws EACCES, and what the file throws
 */
export function openFake(file: FakeFile, flags: number, onClose: () => void): DeviceHandle {
  const forWriting = (flags & constants.O_WRONLY) !== 0;
  const allowed = forWriting ? (file.store ?? file.release) : file.content;
  if (allowed === undefined) throw systemError("EACCES", "open");
  // A value has no size to cut off, and no name to make.
  if ((flags & (constants.O_TRUNC | constants.O_CREAT)) !== 0) throw systemError("EPERM", "open");
  let content = !forWriting && file.madeOn === "open" ? file.content?.() : undefined;
  let position = 0;
  let written: Uint8Array | undefined;
  let open = true;
  return {
    read: async (buffer, offset, length) => {
      content ??= file.content?.() ?? new Uint8Array();
      const end = position + Math.min(length, READ_BYTES);
      const piece = content.subarray(position, end);
      buffer.set(piece, offset);
      position += piece.byteLength;
      return { bytesRead: piece.byteLength };
    },
    write: async (buffer, offset, length) => {
      const bytes = buffer.slice(offset, offset + length);
      if (file.store !== undefined) return { bytesWritten: file.store(bytes) };
      written = Buffer.concat([written ?? new Uint8Array(), bytes]);
      if (written.byteLength > (file.maxBytes ?? 0)) throw systemError("EFBIG", "write");
      return { bytesWritten: bytes.byteLength };
    },
    close: async () => {
      if (!open) throw systemError("EBADF", "close");
      open = false;
      onClose();
      if (written === undefined) return;
      try {
        file.release?.(written);
      } catch {
        // configfs ignores what releasing a binary attribute says.
      }
    },
  };
}
