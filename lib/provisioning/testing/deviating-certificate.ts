import { authorityKeyId, subjectKeyId } from "../../base/certificate-extensions.ts";
import {
  type CertificateExtension,
  type CertificateFields,
  writeCertificate,
} from "../../base/certificate-writer.ts";
import { curveSigner } from "../../base/der-signature.ts";
import type { UnixMs } from "../../base/ids.ts";
import { generateSigningKey } from "../../base/keys.ts";
import type { AuthorityKey } from "../authority.ts";
import {
  AUTHORITY_UNIT,
  authorityKeyUsage,
  basicConstraints,
  certificateName,
  extendedKeyUsage,
  leafKeyUsage,
  ROLE_KEY_USAGE,
  uriAlternativeNames,
} from "../certificate-profile.ts";
import { TEST_FEDERATION_ID } from "./test-authority.ts";

/** What a deviating authority does differently; whatever is left out is as a good client certificate has it. */
export type Deviation = {
  readonly fields?: Partial<CertificateFields>;
  /** An extension of undefined is left out. */
  readonly isAuthority?: boolean;
  readonly keyUsage?: readonly string[] | undefined;
  readonly uris?: readonly string[];
  readonly alternativeNames?: CertificateExtension | undefined;
  readonly signer?: AuthorityKey;
};

/** A certificate of client "hospital-a" valid for an hour around `nowMs`, but for the deviation; DER. */
export function deviatingCertificate(
  authority: AuthorityKey,
  nowMs: number,
  deviation: Deviation,
): Uint8Array {
  const publicKeyDer = deviation.fields?.publicKeyDer ?? generateSigningKey().publicKeyDer;
  const uris = deviation.uris ?? [`fedclave://${TEST_FEDERATION_ID}/client/hospital-a`];
  const has = (part: keyof Deviation) => part in deviation;
  const extensions = [
    basicConstraints(deviation.isAuthority ?? false),
    deviation.isAuthority ? authorityKeyUsage : leafKeyUsage,
    has("keyUsage")
      ? deviation.keyUsage && extendedKeyUsage(deviation.keyUsage)
      : extendedKeyUsage(ROLE_KEY_USAGE.client),
    has("alternativeNames") ? deviation.alternativeNames : uriAlternativeNames(...uris),
    subjectKeyId(publicKeyDer),
    authorityKeyId(authority.publicKeyDer),
  ];
  return writeCertificate(
    {
      serial: Uint8Array.of(0x40, 1, 2, 3),
      issuer: certificateName(AUTHORITY_UNIT, TEST_FEDERATION_ID),
      subject: certificateName("fedclave-client", "hospital-a"),
      notBeforeMs: (nowMs - 1_800_000) as UnixMs,
      notAfterMs: (nowMs + 1_800_000) as UnixMs,
      publicKeyDer,
      extensions: extensions.filter((each) => each !== undefined),
      ...deviation.fields,
    },
    curveSigner((deviation.signer ?? authority).privateKey),
  );
}
