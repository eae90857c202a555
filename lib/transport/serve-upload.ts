/** The receiving end of Transfer.Upload: header → (Wait) → Grant → chunks → Staged, or Refusals at any point. */
import { createHash } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { type Digest, digestFromBytes } from "../base/ids.ts";
import { MAX_CHUNK_BYTES } from "../base/limits.ts";
import { type Refusal, RefusedError, refusal, refused } from "../base/refusal.ts";
import type { GrantQueue, Ticket } from "./grants.ts";
import { Pace } from "./pace.ts";
import type { RequestOf, ResponseOf } from "./rpcs.ts";
import type { MessageStream } from "./stream.ts";

export type UploadStream = MessageStream<
  RequestOf<"Transfer.Upload">,
  ResponseOf<"Transfer.Upload">
>;
type UploadHeader = NonNullable<RequestOf<"Transfer.Upload">["header"]>;

/** What a peer wants to send. Its form is checked; what it says is not. */
export type OfferedUpload = {
  /** Subject and all, as received. */
  readonly header: UploadHeader;
  /** 1 to 2^53 − 1: whoever admits it sets the real bound. */
  readonly sizeBytes: number;
  readonly digest: Digest;
};

/** An upload that is welcome if its turn comes. Holds no memory for the body. */
export type UploadPlan = {
  /** Called at the grant: checks again what may have changed, and reserves. @throws RefusedError */
  readonly begin: () => UploadSink | Promise<UploadSink>;
};

/** Takes one body. Exactly one of `finish` and `abort` is called last. */
export type UploadSink = {
  /** The next 1 byte to 1 MiB; the sum never exceeds the offered size. The bytes are the sink's to keep. */
  readonly write: (chunk: Uint8Array) => void | Promise<void>;
  /** The body is complete and its digest right; the content is not checked. @throws RefusedError */
  readonly finish: () => Promise<void>;
  /** The body did not come, or `finish` threw: frees everything. */
  readonly abort: () => void;
};

export type ServeUploadOptions = {
  readonly grants: GrantQueue;
  /** Asked before queueing. @throws RefusedError with every reason */
  readonly admit: (offer: OfferedUpload) => UploadPlan | Promise<UploadPlan>;
  readonly clock: Clock;
};

/**
 * Receives one upload.
 * @throws RefusedError what the peer was told: the sink's and `admit`'s own reasons, or "unexpected-message" |
 *   "malformed-message" | "bad-upload-header" | "busy" | "chunk-before-grant" | "empty-chunk" | "chunk-too-large" |
 *   "overrun" | "truncated" | "digest-mismatch" | "too-slow"
 */
export async function serveUpload(
  stream: UploadStream,
  { grants, admit, clock }: ServeUploadOptions,
): Promise<void> {
  let ticket: Ticket | undefined;
  try {
    const offer = await readOffer(stream);
    const plan = await admit(offer);
    ticket = grants.enter();
    const firstChunk = await waitForGrant(stream, ticket);
    const sink = await plan.begin();
    try {
      if (firstChunk.hasCome())
        throw refused("chunk-before-grant", "a chunk", "to wait for the grant");
      const pace = new Pace(clock);
      // A peer whose window is closed takes no byte, not even this one.
      await pace.wait(stream.write({ grant: { offsetBytes: 0 } }), 0);
      await receiveBody(stream, offer, sink, firstChunk, pace);
      await sink.finish();
    } catch (error) {
      sink.abort();
      throw error;
    }
    ticket.leave();
    await stream.write({ staged: { digest: offer.header.digest } });
  } catch (error) {
    // Before the peer is told: whether it listens must not decide how long it holds the place.
    ticket?.leave();
    if (error instanceof RefusedError) await tell(stream, error.refusals, new Pace(clock));
    throw error;
  } finally {
    ticket?.leave();
  }
}

async function readOffer(stream: UploadStream): Promise<OfferedUpload> {
  const message = await stream.read();
  if (message?.kind === "chunk") throw refused("chunk-before-grant", "a chunk", "a header");
  const header = message?.header;
  if (header === undefined || header === null) {
    throw refused("unexpected-message", "no header", "a header first");
  }
  const digest = digestFromBytes(header.digest ?? new Uint8Array());
  const sizeBytes = header.sizeBytes ?? 0;
  const wrong: Refusal[] = [];
  const wrongIn = (seen: string | number, wanted: string): void =>
    void wrong.push(refusal("bad-upload-header", seen, wanted));
  if (header.version !== 1) wrongIn(`version ${header.version}`, "version 1");
  if (!(Number.isSafeInteger(sizeBytes) && sizeBytes >= 1)) wrongIn(sizeBytes, "a size of ≥ 1");
  if (digest === undefined) wrongIn(`${header.digest?.byteLength ?? 0} bytes`, "a 32-byte digest");
  if (header.subject === undefined) wrongIn("no subject", "what is sent");
  if (digest === undefined || wrong.length > 0) throw new RefusedError(...wrong);
  return { header, sizeBytes, digest };
}

/** A read that is begun before the grant, of a message that must come after it. */
type FirstChunk = {
  readonly message: Promise<RequestOf<"Transfer.Upload"> | undefined>;
  readonly hasCome: () => boolean;
};

/** Keeps an eye on the peer meanwhile: one that sends already, or leaves, does not wait any longer. */
async function waitForGrant(stream: UploadStream, ticket: Ticket): Promise<FirstChunk> {
  const message = stream.read();
  let come = false;
  const early = message.then((seen) => {
    come = true;
    if (seen === undefined) throw refused("truncated", "0 bytes", "the body");
    throw refused("chunk-before-grant", seen.kind ?? "nothing", "to wait for the grant");
  });
  // After the grant, `message` itself is awaited as the first chunk.
  early.catch(() => {});
  if (!ticket.isGranted()) await stream.write({ wait: { queuePosition: ticket.queuePosition } });
  await Promise.race([early, ticket.granted]);
  return { message, hasCome: () => come };
}

async function receiveBody(
  stream: UploadStream,
  offer: OfferedUpload,
  sink: UploadSink,
  first: FirstChunk,
  pace: Pace,
): Promise<void> {
  const hash = createHash("sha256");
  const { sizeBytes, digest } = offer;
  let receivedBytes = 0;
  let next = first.message;
  while (receivedBytes < sizeBytes) {
    const message = await pace.wait(next, receivedBytes);
    if (message === undefined) throw refused("truncated", receivedBytes, `${sizeBytes} bytes`);
    const chunk = checkedChunk(message, sizeBytes - receivedBytes);
    receivedBytes += chunk.byteLength;
    hash.update(chunk);
    await sink.write(chunk);
    if (receivedBytes < sizeBytes) next = stream.read();
  }
  const seen = hash.digest("hex");
  if (seen !== digest) throw refused("digest-mismatch", seen, digest);
}

function checkedChunk(message: RequestOf<"Transfer.Upload">, leftBytes: number): Uint8Array {
  const { chunk } = message;
  if (message.kind !== "chunk" || chunk === undefined || chunk === null) {
    throw refused("unexpected-message", message.kind ?? "nothing", "a chunk");
  }
  const size = chunk.byteLength;
  if (size === 0) throw refused("empty-chunk", size, "1 byte or more");
  if (size > MAX_CHUNK_BYTES) throw refused("chunk-too-large", size, `${MAX_CHUNK_BYTES} bytes`);
  if (size > leftBytes) throw refused("overrun", size, `the ${leftBytes} bytes that are left`);
  return chunk;
}

/** The Refusals message that the protocol has for this; the call's status, which follows, says the same. */
async function tell(stream: UploadStream, refusals: readonly Refusal[], pace: Pace): Promise<void> {
  try {
    await pace.wait(stream.write({ refusals: { refusals: [...refusals] } }), 0);
  } catch {
    // The peer has left, or does not listen: nobody to tell.
  }
}
