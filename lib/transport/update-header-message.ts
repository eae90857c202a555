/** A member's signed update header on the wire; inside an upload, and once for each member in a partial aggregate. */
import { fedclave } from "../../proto/generated/fedclave.js";
import { digestBytes } from "../base/ids.ts";
import { SIGNATURE_BYTES, type SigningKey } from "../base/keys.ts";
import { refused } from "../base/refusal.ts";
import {
  MAX_UPDATE_HEADER_BYTES,
  type SignedUpdateHeader,
  signHeaderBytes,
  type UpdateHeader,
} from "../federation/update-header.ts";
import { needDigest, needInteger, needRoundKey, needVersion, WIRE_VERSION } from "./wire-fields.ts";

type HeaderMessage = fedclave.v1.SignedUpdateHeader.$Properties;

/** The header with the signature of its member's key. */
export function signUpdateHeader(header: UpdateHeader, key: SigningKey): HeaderMessage {
  const { key: roundKey, baseModelHash, updateDigest, ...rest } = header;
  const bytes = fedclave.v1.UpdateHeader.encode({
    version: WIRE_VERSION,
    ...rest,
    roundKey,
    baseModelHash: digestBytes(baseModelHash),
    updateDigest: digestBytes(updateDigest),
  }).finish();
  return { header: bytes, signature: signHeaderBytes(bytes, key).signature };
}

/**
 * What the header says, and the bytes that should be signed; nobody has checked the signature. Both byte strings are
 * copies: those received are parts of larger buffers.
 * @throws RefusedError "malformed-update-header" | "unknown-version" | "malformed-round-key" | "malformed-digest" |
 *   "malformed-number"
 */
export function parseUpdateHeader(message: HeaderMessage): {
  readonly signed: SignedUpdateHeader;
  readonly header: UpdateHeader;
} {
  const bytes = Uint8Array.from(message.header ?? []);
  const signature = Uint8Array.from(message.signature ?? []);
  if (bytes.byteLength > MAX_UPDATE_HEADER_BYTES || signature.byteLength > SIGNATURE_BYTES) {
    const seen = `${bytes.byteLength} and ${signature.byteLength} bytes`;
    const wanted = `at most ${MAX_UPDATE_HEADER_BYTES} and ${SIGNATURE_BYTES}`;
    throw refused("malformed-update-header", seen, wanted);
  }
  const said = decode(bytes);
  needVersion(said.version);
  return {
    signed: { bytes, signature },
    header: {
      federationId: said.federationId ?? "",
      key: needRoundKey(said.roundKey),
      member: said.member ?? "",
      baseModelHash: needDigest(said.baseModelHash),
      updateDigest: needDigest(said.updateDigest),
      sizeBytes: needInteger(said.sizeBytes, 0, Number.MAX_SAFE_INTEGER),
      exampleCount: said.exampleCount ?? 0,
    },
  };
}

function decode(bytes: Uint8Array): fedclave.v1.UpdateHeader.$Properties {
  try {
    return fedclave.v1.UpdateHeader.decode(bytes);
  } catch {
    throw refused("malformed-update-header", `${bytes.byteLength} bytes`, "an UpdateHeader");
  }
}
