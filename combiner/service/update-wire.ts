/** An offered update between wire and core. */
import type { OfferedUpload } from "../../lib/transport/serve-upload.ts";
import { fedclave } from "../../proto/generated/fedclave.js";
import type { UnverifiedUpdate } from "../core/upload-admission.ts";
import { needDigest, needInteger, needRoundKey, needVersion, refused } from "./wire.ts";

const { UpdateHeader } = fedclave.v1;

/** One is kept for every folded update. Ours have about 250 bytes; the rest is room for later versions. */
export const MAX_UPDATE_HEADER_BYTES = 1024;
const MAX_SIGNATURE_BYTES = 64;

/**
 * The update that an upload's header offers. Bytes that will be kept are copied: those received are parts of larger
 * buffers.
 * @throws RefusedError "wrong-subject" | "malformed-update-header" | "unknown-version" | "malformed-round-key" |
 *   "malformed-digest" | "malformed-number"
 */
export function parseUpdate(offer: OfferedUpload): UnverifiedUpdate {
  const { header: upload, sizeBytes, digest } = offer;
  if (upload.subject !== "update" || upload.update == null) {
    throw refused("wrong-subject", upload.subject ?? "nothing", "an update");
  }
  const bytes = Uint8Array.from(upload.update.header ?? []);
  const signature = Uint8Array.from(upload.update.signature ?? []);
  if (bytes.byteLength > MAX_UPDATE_HEADER_BYTES || signature.byteLength > MAX_SIGNATURE_BYTES) {
    const seen = `${bytes.byteLength} and ${signature.byteLength} bytes`;
    const wanted = `at most ${MAX_UPDATE_HEADER_BYTES} and ${MAX_SIGNATURE_BYTES}`;
    throw refused("malformed-update-header", seen, wanted);
  }
  const message = decodeHeader(bytes);
  needVersion(message.version);
  return {
    sizeBytes,
    digest,
    signed: { bytes, signature },
    header: {
      federationId: message.federationId ?? "",
      key: needRoundKey(message.roundKey),
      member: message.member ?? "",
      baseModelHash: needDigest(message.baseModelHash),
      updateDigest: needDigest(message.updateDigest),
      sizeBytes: needInteger(message.sizeBytes, 0, Number.MAX_SAFE_INTEGER),
      // Its range is the session's, so the core refuses it together with everything else.
      exampleCount: message.exampleCount ?? 0,
    },
  };
}

function decodeHeader(bytes: Uint8Array): fedclave.v1.UpdateHeader.$Properties {
  try {
    return UpdateHeader.decode(bytes);
  } catch {
    throw refused("malformed-update-header", `${bytes.byteLength} bytes`, "an UpdateHeader");
  }
}
