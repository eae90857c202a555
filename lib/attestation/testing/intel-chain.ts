/** Certificates under keys of the test's own, named as Intel names its, each part open to one deviation. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import {
  basicConstraints,
  crlNumber,
  type KeyUsageBit,
  keyUsage,
} from "../../base/certificate-extensions.ts";
import {
  type CertificateExtension,
  type DistinguishedName,
  NAME_PART,
  writeCertificate,
} from "../../base/certificate-writer.ts";
import { type RevokedCertificate, writeCrl } from "../../base/crl-writer.ts";
import type { SigningAlgorithm } from "../../base/der-signature.ts";
import type { UnixMs } from "../../base/ids.ts";
import { type Certificate, parseCertificate } from "../endorsements/certificate.ts";
import { type Crl, parseCrl } from "../endorsements/crl.ts";

/** A time of a test. */
export const at = (iso: string): UnixMs => Date.parse(iso) as UnixMs;

/** Within the dates of everything here. */
export const NOW = at("2025-06-15T12:00:00Z");

type KeyPair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
const newKey = (namedCurve = "P-256"): KeyPair => generateKeyPairSync("ec", { namedCurve });

/** Whose key is whose. */
export const KEYS = {
  root: newKey(),
  ca: newKey(),
  leaf: newKey(),
  stranger: newKey(),
  p384: newKey("P-384"),
} as const;

/** A certificate before it is signed. */
export type Plan = {
  readonly subject: DistinguishedName;
  readonly issuer: DistinguishedName;
  readonly key: KeyPair;
  readonly signedBy: KeyPair;
  readonly algorithm: SigningAlgorithm;
  readonly serial: Uint8Array;
  readonly notBeforeMs: UnixMs;
  readonly notAfterMs: UnixMs;
  /** Undefined: an end certificate. "absent": says nothing. */
  readonly authority: { readonly pathLength?: number } | undefined | "absent";
  /** Undefined: says nothing. */
  readonly usages: readonly KeyUsageBit[] | undefined;
  readonly extra: readonly CertificateExtension[];
};

/** A name of one common name. */
export const named = (text: string): DistinguishedName => [
  { oid: NAME_PART.commonName, text, kind: "utf8" },
];

const ROOT_NAME = named("Intel SGX Root CA");
const CA_NAME = named("Intel SGX PCK Platform CA");

const common = {
  algorithm: "ecdsa-sha256",
  notBeforeMs: at("2025-01-01T00:00:00Z"),
  notAfterMs: at("2025-12-31T23:59:59Z"),
  extra: [],
} as const;

const AUTHORITY_USAGES = ["keyCertSign", "cRLSign"] as const;
const END_USAGES = ["digitalSignature", "nonRepudiation"] as const;

const GOOD_ROOT: Plan = {
  ...common,
  subject: ROOT_NAME,
  issuer: ROOT_NAME,
  key: KEYS.root,
  signedBy: KEYS.root,
  serial: Uint8Array.of(1),
  authority: { pathLength: 1 },
  usages: AUTHORITY_USAGES,
};

const GOOD_CA: Plan = {
  ...common,
  subject: CA_NAME,
  issuer: ROOT_NAME,
  key: KEYS.ca,
  signedBy: KEYS.root,
  serial: Uint8Array.of(0x95, 2),
  authority: { pathLength: 0 },
  usages: AUTHORITY_USAGES,
};

const GOOD_PCK: Plan = {
  ...common,
  subject: named("Intel SGX PCK Certificate"),
  issuer: CA_NAME,
  key: KEYS.leaf,
  signedBy: KEYS.ca,
  serial: Uint8Array.of(0x6f, 3),
  authority: undefined,
  usages: END_USAGES,
};

const GOOD_TCB_SIGNING: Plan = {
  ...GOOD_PCK,
  subject: named("Intel SGX TCB Signing"),
  issuer: ROOT_NAME,
  signedBy: KEYS.root,
};

export const GOOD_PLANS = {
  root: GOOD_ROOT,
  ca: GOOD_CA,
  pck: GOOD_PCK,
  tcbSigning: GOOD_TCB_SIGNING,
} as const;

/** Signs a certificate and reads it. */
export function issue(plan: Plan): Certificate {
  const { authority, usages, key, signedBy, algorithm, extra, ...fields } = plan;
  const extensions = [
    ...(usages === undefined ? [] : [keyUsage(...usages)]),
    ...(authority === "absent" ? [] : [basicConstraints(authority)]),
    ...extra,
  ];
  const publicKeyDer = new Uint8Array(key.publicKey.export({ type: "spki", format: "der" }));
  const signer = { privateKey: signedBy.privateKey, algorithm };
  return parseCertificate(writeCertificate({ ...fields, publicKeyDer, extensions }, signer));
}

/** Deviations of the parts of a PCK chain. */
export type Deviations = {
  readonly pck?: Partial<Plan>;
  readonly ca?: Partial<Plan>;
  readonly root?: Partial<Plan>;
};

/** [PCK, PCK CA, root]. */
export const pckChain = ({ pck, ca, root }: Deviations = {}): readonly Certificate[] => [
  issue({ ...GOOD_PCK, ...pck }),
  issue({ ...GOOD_CA, ...ca }),
  issue({ ...GOOD_ROOT, ...root }),
];

/** [TCB signing, root]. */
export const tcbSigningChain = (tcbSigning: Partial<Plan> = {}): readonly Certificate[] => [
  issue({ ...GOOD_TCB_SIGNING, ...tcbSigning }),
  issue(GOOD_ROOT),
];

/** A revocation list before it is signed. */
export type CrlPlan = {
  readonly issuer: DistinguishedName;
  readonly signedBy: KeyPair;
  readonly algorithm: SigningAlgorithm;
  readonly thisUpdateMs: UnixMs;
  readonly nextUpdateMs: UnixMs;
  readonly revoked: readonly RevokedCertificate[];
};

/** The PCK CA's list, which revokes nothing unless it deviates. */
export function issueCrl(plan: Partial<CrlPlan> = {}): Crl {
  const { signedBy, algorithm, ...fields } = {
    issuer: CA_NAME,
    signedBy: KEYS.ca,
    algorithm: common.algorithm,
    thisUpdateMs: at("2025-06-01T00:00:00Z"),
    nextUpdateMs: at("2025-07-01T00:00:00Z"),
    revoked: [],
    ...plan,
  };
  const signer = { privateKey: signedBy.privateKey, algorithm };
  return parseCrl(writeCrl({ ...fields, extensions: [crlNumber(7)] }, signer));
}
