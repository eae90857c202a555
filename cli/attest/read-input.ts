/** Files that a person names as evidence, or with it: strangers may have made them, and of any size. */
import { type FileHandle, open } from "node:fs/promises";
import { CliError } from "../cli-error.ts";

const CHUNK_BYTES = 64 * 1024;
const WHY: Readonly<Record<string, string>> = {
  ENOENT: "there is none",
  EACCES: "no permission",
  EISDIR: "it is a directory",
};

/**
 * The bytes of a file or a pipe. Never takes more memory than the limit needs, whatever the file is: a device may have
 * no end.
 * @param hint  what the file should be
 * @throws CliError "unreadable-file"
 */
export async function readInput(file: string, hint: string, maxBytes: number): Promise<Uint8Array> {
  let content: Uint8Array | undefined;
  try {
    const handle = await open(file);
    try {
      content = await readUpTo(handle, maxBytes);
    } finally {
      await handle.close();
    }
  } catch (cause) {
    const why = WHY[(cause as NodeJS.ErrnoException).code ?? ""] ?? "reading it failed";
    throw new CliError("unreadable-file", `${file} cannot be read (${why}); ${hint}`, { cause });
  }
  if (content === undefined) {
    const why = `it has more than ${maxBytes} bytes`;
    throw new CliError("unreadable-file", `${file} cannot be used: ${why}; ${hint}`);
  }
  if (content.byteLength === 0) {
    throw new CliError("unreadable-file", `${file} cannot be used: it is empty; ${hint}`);
  }
  return content;
}

/** Everything there is; undefined if it is more. */
async function readUpTo(handle: FileHandle, maxBytes: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for (;;) {
    const { bytesRead, buffer } = await handle.read(new Uint8Array(CHUNK_BYTES), 0, CHUNK_BYTES);
    if (bytesRead === 0) return new Uint8Array(Buffer.concat(chunks));
    sizeBytes += bytesRead;
    if (sizeBytes > maxBytes) return undefined;
    chunks.push(buffer.subarray(0, bytesRead));
  }
}
