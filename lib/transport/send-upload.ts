/** The sending end of Transfer.Upload. */
import type { fedclave } from "../../proto/generated/fedclave.js";
import { type Digest, digestBytes, digestFromBytes } from "../base/ids.ts";
import { CHUNK_BYTES } from "../base/limits.ts";
import { type Refusal, RefusedError, refusal } from "../base/refusal.ts";
import type { ClientStream, Connection } from "./connect.ts";
import type { ReceivedResponseOf, SentRequestOf } from "./rpcs.ts";
import { TransportError } from "./transport-error.ts";

type Sent = SentRequestOf<"Transfer.Upload">;
type Answer = ReceivedResponseOf<"Transfer.Upload">;

/** What is sent: exactly one of these. */
export type UploadSubject = Pick<
  fedclave.v1.UploadHeader.$Properties,
  "update" | "partial" | "model" | "package"
>;

export type UploadProgress =
  | { readonly kind: "waiting"; readonly queuePosition: number }
  | { readonly kind: "sending"; readonly sentBytes: number };

export type SendUploadOptions = {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: UploadProgress) => void;
};

/**
 * Sends a body and returns when the peer has staged it: its digest is right and its content admitted.
 * @param body  at least 1 byte; must not change meanwhile
 * @param digest  SHA-256 of the body
 * @throws RefusedError with the peer's reasons
 * @throws TransportError as every call; "unexpected-message" | "wrong-content" if the peer does not keep the protocol
 */
export async function sendUpload(
  connection: Connection,
  subject: UploadSubject,
  body: Uint8Array,
  digest: Digest,
  { signal, onProgress = () => {} }: SendUploadOptions = {},
): Promise<void> {
  const stream = connection.bidi("Transfer.Upload");
  signal?.addEventListener("abort", stream.cancel, { once: true });
  if (signal?.aborted) stream.cancel();
  try {
    await stream.write({
      header: {
        version: 1,
        sizeBytes: body.byteLength,
        digest: digestBytes(digest),
        ...subject,
      },
    });
    const offset = await waitForGrant(stream, body.byteLength, onProgress);
    const staged = await sendBody(stream, body, offset, onProgress);
    if (staged.kind !== "staged") throw unexpected(staged.kind);
    if (digestFromBytes(staged.staged.digest ?? new Uint8Array()) !== digest) {
      throw new TransportError("wrong-content", "the peer staged another body than was sent");
    }
  } finally {
    signal?.removeEventListener("abort", stream.cancel);
    stream.cancel();
  }
}

async function waitForGrant(
  stream: ClientStream<Answer, Sent>,
  sizeBytes: number,
  onProgress: (progress: UploadProgress) => void,
): Promise<number> {
  for (;;) {
    const answer = await readAnswer(stream);
    if (answer.kind === "grant") {
      const offset = answer.grant.offsetBytes ?? 0;
      if (offset >= 0 && offset <= sizeBytes) return offset;
    }
    if (answer.kind !== "wait") throw unexpected(answer.kind);
    onProgress({ kind: "waiting", queuePosition: answer.wait.queuePosition ?? 0 });
  }
}

/** Listens while it sends, so that a refusal stops it at once. */
async function sendBody(
  stream: ClientStream<Answer, Sent>,
  body: Uint8Array,
  offset: number,
  onProgress: (progress: UploadProgress) => void,
): Promise<Answer> {
  let answered = false;
  const answer = readAnswer(stream).finally(() => {
    answered = true;
  });
  // Awaited below; should it fail earlier, that is no unhandled rejection.
  answer.catch(() => {});
  try {
    for (let at = offset; at < body.byteLength && !answered; at += CHUNK_BYTES) {
      const chunk = body.subarray(at, at + CHUNK_BYTES);
      await stream.write({ chunk });
      onProgress({ kind: "sending", sentBytes: at + chunk.byteLength });
    }
  } catch (error) {
    // The call ended while we sent. What the peer said last explains it better than our failed write.
    if (!stream.signal.aborted) throw error;
  }
  if (!answered) stream.endWrites();
  return await answer;
}

async function readAnswer(stream: ClientStream<Answer, Sent>): Promise<Answer> {
  const answer = await stream.read();
  if (answer === undefined) throw unexpected("the end");
  if (answer.kind === "refusals") throw new RefusedError(...refusalsOf(answer.refusals));
  return answer;
}

function refusalsOf(message: fedclave.v1.Refusals.$Properties): Refusal[] {
  return (message.refusals ?? []).map(({ code, seen, wanted }) =>
    refusal(code ?? "", seen ?? "", wanted ?? ""),
  );
}

const unexpected = (what: string | undefined): TransportError =>
  new TransportError(
    "unexpected-message",
    `the peer answered an upload with ${what ?? "an unknown message"}; is it of a version that fits?`,
  );
