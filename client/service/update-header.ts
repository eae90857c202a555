/** What a member signs about its update (docs/wire-formats.md): nobody else can count something in its name. */
import { digestBytes, type FederationId, type Name } from "../../lib/base/ids.ts";
import { type SigningKey, signDetached } from "../../lib/base/keys.ts";
import { UPDATE_HEADER_TYPE } from "../../lib/federation/update-header.ts";
import { fedclave } from "../../proto/generated/fedclave.js";
import type { KeptUpdate } from "../core/kept-updates.ts";
import { WIRE_VERSION } from "./wire.ts";

/** The signed header that goes before an update's body. */
export function signUpdateHeader(
  { key: roundKey, baseModelHash, update }: Pick<KeptUpdate, "key" | "baseModelHash" | "update">,
  signer: {
    readonly federationId: FederationId;
    readonly member: Name;
    readonly key: SigningKey;
  },
): fedclave.v1.SignedUpdateHeader.$Properties {
  const header = fedclave.v1.UpdateHeader.encode({
    version: WIRE_VERSION,
    federationId: signer.federationId,
    roundKey,
    member: signer.member,
    baseModelHash: digestBytes(baseModelHash),
    updateDigest: digestBytes(update.digest),
    sizeBytes: update.body.byteLength,
    exampleCount: update.exampleCount,
  }).finish();
  const signature = signDetached(signer.key.privateKey, UPDATE_HEADER_TYPE, header);
  return { header, signature };
}
