/** Moves models and packages between this machine and the reducer, and says how far it is. */
import { type Digest, digestOf, type Name } from "../lib/base/ids.ts";
import { MAX_MODEL_BYTES, MAX_PACKAGE_BYTES } from "../lib/base/limits.ts";
import type { Connection } from "../lib/transport/connect.ts";
import { receiveDownload } from "../lib/transport/download.ts";
import { sendUpload, type UploadSubject } from "../lib/transport/send-upload.ts";
import type { CommandContext } from "./context.ts";
import { type LiveLines, liveLines } from "./rendering/live-lines.ts";
import { formatBytes } from "./rendering/units.ts";

type TransferContext = Pick<CommandContext, "stderr" | "clock" | "signal">;

/** @returns the model's hash @throws RefusedError with the reducer's reasons */
export const uploadModel = (
  context: TransferContext,
  reducer: Connection,
  model: Uint8Array,
  name: Name,
): Promise<Digest> => upload(context, reducer, { model: { name } }, model);

/** @returns the package's digest @throws RefusedError with the reducer's reasons */
export const uploadPackage = (
  context: TransferContext,
  reducer: Connection,
  archive: Uint8Array,
  name: Name,
): Promise<Digest> => upload(context, reducer, { package: { name } }, archive);

/** Bytes of a model, whose hash is checked. @throws RefusedError | TransportError */
export const downloadModel = (
  context: TransferContext,
  reducer: Connection,
  digest: Digest,
): Promise<Uint8Array> => download(context, reducer, "model", digest, MAX_MODEL_BYTES);

/** Archive of a package, whose digest is checked. @throws RefusedError | TransportError */
export const downloadPackage = (
  context: TransferContext,
  reducer: Connection,
  digest: Digest,
): Promise<Uint8Array> => download(context, reducer, "package", digest, MAX_PACKAGE_BYTES);

async function download(
  context: TransferContext,
  reducer: Connection,
  kind: "model" | "package",
  digest: Digest,
  maxSizeBytes: number,
): Promise<Uint8Array> {
  const { stderr, clock, signal } = context;
  const lines = liveLines(stderr);
  try {
    return await receiveDownload(reducer, {
      kind,
      digest,
      maxSizeBytes,
      clock,
      signal,
      onProgress: (done, size) => showProgress(lines, "receiving", done, size),
    });
  } finally {
    lines.end();
  }
}

async function upload(
  { stderr, signal }: TransferContext,
  reducer: Connection,
  subject: UploadSubject,
  body: Uint8Array,
): Promise<Digest> {
  const digest = digestOf(body);
  const lines = liveLines(stderr);
  try {
    await sendUpload(reducer, subject, body, digest, {
      signal,
      onProgress: (progress) => {
        if (progress.kind === "sending") {
          showProgress(lines, "sending", progress.sentBytes, body.byteLength);
        } else {
          lines.show([`waiting for the reducer: ${progress.queuePosition} uploads in front`]);
        }
      },
    });
  } finally {
    lines.end();
  }
  return digest;
}

function showProgress(lines: LiveLines, verb: string, doneBytes: number, sizeBytes: number): void {
  lines.show([`${verb} ${formatBytes(doneBytes)} of ${formatBytes(sizeBytes)}`]);
}
