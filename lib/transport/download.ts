/** Both ends of Transfer.Download: header, then chunks from the asked offset to the end. */
import { createHash } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { type Digest, digestBytes } from "../base/ids.ts";
import { CHUNK_BYTES } from "../base/limits.ts";
import { RefusedError, refusal } from "../base/refusal.ts";
import type { ClientStream, Connection } from "./connect.ts";
import type { GrantQueue } from "./grants.ts";
import { Pace } from "./pace.ts";
import type { ReceivedResponseOf, ResponseOf } from "./rpcs.ts";
import type { MessageWriter } from "./stream.ts";
import { TransportError } from "./transport-error.ts";

/** Where the bytes of an object are; an artifact reader is one. */
export type DownloadSource = {
  readonly sizeBytes: number;
  /** Exactly these bytes; they must not change afterwards. */
  readonly read: (offsetBytes: number, lengthBytes: number) => Promise<Uint8Array>;
};

export type ServeDownloadOptions = {
  readonly offsetBytes: number;
  readonly clock: Clock;
  /** How many downloads may hold chunks in memory at one time; the rest wait. */
  readonly places: GrantQueue;
};

/**
 * Sends an object, or the rest of it.
 * @throws RefusedError "offset-out-of-range" | "busy" | "too-slow"
 */
export async function serveDownload(
  stream: MessageWriter<ResponseOf<"Transfer.Download">>,
  source: DownloadSource,
  { offsetBytes, clock, places }: ServeDownloadOptions,
): Promise<void> {
  const { sizeBytes } = source;
  if (!(Number.isSafeInteger(offsetBytes) && offsetBytes >= 0 && offsetBytes <= sizeBytes)) {
    throw new RefusedError(refusal("offset-out-of-range", offsetBytes, `0 to ${sizeBytes}`));
  }
  const ticket = places.enter();
  try {
    await Promise.race([ticket.granted, aborted(stream.signal)]);
    const pace = new Pace(clock);
    await stream.write({ header: { sizeBytes } });
    for (let at = offsetBytes; at < sizeBytes; at += CHUNK_BYTES) {
      const chunk = await source.read(at, Math.min(CHUNK_BYTES, sizeBytes - at));
      await pace.wait(stream.write({ chunk }), at - offsetBytes);
    }
  } finally {
    ticket.leave();
  }
}

/** A source over bytes in memory. */
export const bytesSource = (bytes: Uint8Array): DownloadSource => ({
  sizeBytes: bytes.byteLength,
  read: async (offset, length) => bytes.subarray(offset, offset + length),
});

export type ReceiveDownloadOptions = {
  /** A model or a package, by the digest of its bytes. */
  readonly kind: "model" | "package";
  readonly digest: Digest;
  /** Larger objects are refused before memory is taken. */
  readonly maxSizeBytes: number;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  readonly onProgress?: (receivedBytes: number, sizeBytes: number) => void;
};

/**
 * Fetches a whole object and checks its digest.
 * @throws RefusedError with the peer's reasons
 * @throws TransportError as every call; "wrong-content" if size or digest are not as wanted | "unexpected-message" |
 *   "timeout" if the peer stops sending
 */
export async function receiveDownload(
  connection: Connection,
  options: ReceiveDownloadOptions,
): Promise<Uint8Array> {
  const { kind, digest, signal } = options;
  const raw = digestBytes(digest);
  const stream = connection.serverStream(
    "Transfer.Download",
    kind === "model" ? { modelHash: raw } : { packageDigest: raw },
  );
  signal?.addEventListener("abort", stream.cancel, { once: true });
  if (signal?.aborted) stream.cancel();
  try {
    return await receive(stream, options);
  } finally {
    signal?.removeEventListener("abort", stream.cancel);
    stream.cancel();
  }
}

async function receive(
  stream: ClientStream<ReceivedResponseOf<"Transfer.Download">, never>,
  { kind, digest, maxSizeBytes, clock, onProgress = () => {} }: ReceiveDownloadOptions,
): Promise<Uint8Array> {
  const what = `${kind} ${digest}`;
  // The header may take long: it waits for a place.
  const first = await stream.read();
  const sizeBytes = first?.header?.sizeBytes;
  if (sizeBytes === undefined) throw unexpected(what, "no header");
  if (!(sizeBytes >= 0 && sizeBytes <= maxSizeBytes)) {
    const why = `${what} has ${sizeBytes} bytes at the peer; at most ${maxSizeBytes} are taken`;
    throw new TransportError("wrong-content", why);
  }
  const body = new Uint8Array(sizeBytes);
  const hash = createHash("sha256");
  const pace = new Pace(clock);
  let receivedBytes = 0;
  for (;;) {
    const message = await pace.wait(stream.read(), receivedBytes);
    if (message === undefined) break;
    const { chunk } = message;
    if (message.kind !== "chunk" || chunk === undefined || chunk === null) {
      throw unexpected(what, "a second header");
    }
    if (chunk.byteLength > sizeBytes - receivedBytes) throw unexpected(what, "too many bytes");
    body.set(chunk, receivedBytes);
    hash.update(chunk);
    receivedBytes += chunk.byteLength;
    onProgress(receivedBytes, sizeBytes);
  }
  if (receivedBytes !== sizeBytes || hash.digest("hex") !== digest) {
    throw new TransportError("wrong-content", `what the peer sent is not ${what}; try another`);
  }
  return body;
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

const unexpected = (what: string, seen: string): TransportError =>
  new TransportError("unexpected-message", `${what}: the peer sent ${seen}`);
