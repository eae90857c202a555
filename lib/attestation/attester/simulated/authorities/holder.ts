/** Whom a certificate names: a name, a key, and the serial number that goes with it. */
import type { KeyObject } from "node:crypto";
import { sha256, utf8 } from "../../../../base/bytes.ts";
import { type DistinguishedName, NAME_PART } from "../../../../base/certificate-writer.ts";
import type { DerSigner, SigningAlgorithm } from "../../../../base/der-signature.ts";
import { publicKeyInfo } from "./derived-key.ts";

/** Whoever is named by certificates: the subject of its own, the issuer of others. */
export type Holder = {
  readonly name: DistinguishedName;
  readonly signer: DerSigner;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKeyDer: Uint8Array;
  /** Of its certificate, 16 bytes. */
  readonly serial: Uint8Array;
};

/** A holder with its certificate, DER. */
export type Certified = Holder & { readonly der: Uint8Array };

/** What a certificate is called that is not what it should be. */
export const WRONG_COMMON_NAME = "Something Else";

/** Whose certificates are imitated; what they say of themselves says that they are not. */
export type Vendor = "Intel" | "AMD";

/** The common name that the vendor uses, under an organization and country that nobody has. */
export const developmentName = (vendor: Vendor, commonName: string): DistinguishedName => [
  { oid: NAME_PART.country, text: "XX", kind: "printable" },
  { oid: NAME_PART.organization, text: `development root - NOT ${vendor}`, kind: "utf8" },
  { oid: NAME_PART.commonName, text: commonName, kind: "utf8" },
];

/**
 * A holder whose serial number follows from name and key, so that an attester and whoever revokes it agree on it.
 * @param algorithm  with which the key signs
 */
export function holderOf(
  vendor: Vendor,
  commonName: string,
  privateKey: KeyObject,
  algorithm: SigningAlgorithm,
): Holder {
  const publicKeyDer = publicKeyInfo(privateKey);
  const serial = sha256(utf8(commonName), publicKeyDer).subarray(0, 16);
  // Positive, and never shorter than it looks.
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return {
    name: developmentName(vendor, commonName),
    signer: { privateKey, algorithm },
    publicKeyDer,
    serial,
  };
}
