/** Pseudo-files of kernel and Gramine: values, not files, so they are read and written whole, and no size is believed. */
import { constants } from "node:fs";
import * as nodeFs from "node:fs/promises";
import { describeError } from "../../base/log.ts";
import { AttesterError } from "./attester.ts";

/** An open pseudo-file; the part of a FileHandle that is used. */
export type DeviceHandle = {
  readonly read: (
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: null,
  ) => Promise<{ readonly bytesRead: number }>;
  readonly write: (
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: null,
  ) => Promise<{ readonly bytesWritten: number }>;
  readonly close: () => Promise<void>;
};

/** Port: the file operations of attesters, off the event loop. Tests give a kernel of their own. */
export type DeviceFiles = {
  readonly open: (file: string, flags: number) => Promise<DeviceHandle>;
  readonly mkdir: (folder: string) => Promise<unknown>;
  readonly rmdir: (folder: string) => Promise<void>;
};

/** The file system itself. */
export const systemDevices: DeviceFiles = {
  open: nodeFs.open,
  mkdir: (folder) => nodeFs.mkdir(folder),
  rmdir: nodeFs.rmdir,
};

/**
 * The whole value. It is made when the file is opened or first read, so every call sees a new one.
 * @throws AttesterError "no-evidence" past maxBytes; the system's own error otherwise
 */
export async function readDevice(
  files: DeviceFiles,
  file: string,
  maxBytes: number,
): Promise<Uint8Array> {
  const handle = await files.open(file, constants.O_RDONLY);
  try {
    // One byte more than allowed, to see whether there is more.
    const buffer = new Uint8Array(maxBytes + 1);
    let filled = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, filled, buffer.byteLength - filled, null);
      filled += bytesRead;
      if (bytesRead === 0 || filled > maxBytes) break;
    }
    if (filled <= maxBytes) return buffer.slice(0, filled);
    throw new AttesterError("no-evidence", `${file} holds more than ${maxBytes} bytes`);
  } finally {
    await handle.close();
  }
}

/** The value as text without the line end that the kernel adds. */
export async function readDeviceText(files: DeviceFiles, file: string): Promise<string> {
  const bytes = await readDevice(files, file, MAX_TEXT_BYTES);
  return Buffer.from(bytes).toString("latin1").trimEnd();
}

const MAX_TEXT_BYTES = 4096;

/**
 * Sets the value in one write: a second one would replace it, not go on. Without O_TRUNC, which some kernels take for
 * a change of size and refuse. Written when this resolves, because some values take effect when they are closed.
 * @throws AttesterError "no-evidence" if only a part was taken; the system's own error otherwise
 */
export async function writeDevice(
  files: DeviceFiles,
  file: string,
  value: Uint8Array,
): Promise<void> {
  const handle = await files.open(file, constants.O_WRONLY);
  try {
    const { bytesWritten } = await handle.write(value, 0, value.byteLength, null);
    if (bytesWritten === value.byteLength) return;
    const message = `${file} took ${bytesWritten} of ${value.byteLength} bytes`;
    throw new AttesterError("no-evidence", message);
  } finally {
    await handle.close();
  }
}

/** "EACCES", "ENOENT", …; undefined for what the system did not throw. */
export const systemCode = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : undefined;

/**
 * Does one step; what the system throws becomes an AttesterError that says what was tried and what to look at.
 * @param remedies  by system error code, "" for any other
 */
export async function deviceStep<T>(
  what: string,
  remedies: Readonly<Record<string, string>>,
  step: () => Promise<T>,
): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    const code = systemCode(cause);
    // What is refused already, and bugs of ours, are not the system's doing.
    if (code === undefined || cause instanceof AttesterError) throw cause;
    const remedy = remedies[code] ?? remedies[""] ?? "";
    const message = `${what} failed (${describeError(cause)})${remedy === "" ? "" : `; ${remedy}`}`;
    throw new AttesterError("no-evidence", message, { cause });
  }
}
