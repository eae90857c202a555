/** SNP platforms under a root made for a test: certificates as AMD writes them, and every deviation one asks for. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { basicConstraints, crlNumber, keyUsage } from "../../base/certificate-extensions.ts";
import {
  type CertificateExtension,
  type CertificateFields,
  type DistinguishedName,
  NAME_PART,
  writeCertificate,
} from "../../base/certificate-writer.ts";
import { writeCrl } from "../../base/crl-writer.ts";
import type { SigningAlgorithm } from "../../base/der-signature.ts";
import { ia5String, integer } from "../../base/der-writer.ts";
import type { UnixMs } from "../../base/ids.ts";
import type { SnpProduct } from "../evidence/snp-tcb.ts";

/** A time at which everything made here is valid. */
export const TEST_NOW_MS = Date.UTC(2026, 6, 1) as UnixMs;
const DAY_MS = 86_400_000;
/** Days from now, before or after. */
export const daysFromNow = (days: number): UnixMs => (TEST_NOW_MS + days * DAY_MS) as UnixMs;

export type KeyPair = { readonly privateKey: KeyObject; readonly publicKeyDer: Uint8Array };

/** AMD's keys have 4096 bits, which take seconds to find; the verifier leaves the size to whoever signed the key. */
export const newRsaKey = (): KeyPair =>
  exported(generateKeyPairSync("rsa", { modulusLength: 2048 }));
export const newEcKey = (namedCurve = "P-384"): KeyPair =>
  exported(generateKeyPairSync("ec", { namedCurve }));

const exported = (pair: { privateKey: KeyObject; publicKey: KeyObject }): KeyPair => ({
  privateKey: pair.privateKey,
  publicKeyDer: new Uint8Array(pair.publicKey.export({ format: "der", type: "spki" })),
});

/** The whole name that AMD gives. */
export const amdName = (commonName: string): DistinguishedName => [
  { oid: NAME_PART.unit, text: "Engineering", kind: "utf8" },
  { oid: NAME_PART.country, text: "US", kind: "printable" },
  { oid: NAME_PART.organization, text: "test root - NOT AMD", kind: "utf8" },
  { oid: NAME_PART.commonName, text: commonName, kind: "utf8" },
];

/** Fields that differ from what a genuine certificate has. */
export type Deviation = Partial<CertificateFields> & {
  readonly signedWith?: KeyPair;
  readonly algorithm?: SigningAlgorithm;
};

/** A certificate that AMD could have issued, but for the deviation. */
export function issue(
  fields: Pick<CertificateFields, "issuer" | "subject" | "publicKeyDer" | "extensions">,
  issuer: KeyPair,
  { signedWith = issuer, algorithm = "rsa-pss-sha384", ...changed }: Deviation = {},
): Uint8Array {
  const validity = { notBeforeMs: daysFromNow(-100), notAfterMs: daysFromNow(100) };
  return writeCertificate(
    { serial: Uint8Array.of(1, 0, 1), ...validity, ...fields, ...changed },
    { privateKey: signedWith.privateKey, algorithm },
  );
}

export const authorityExtensions = (pathLength?: number): readonly CertificateExtension[] => [
  basicConstraints(pathLength === undefined ? {} : { pathLength }),
  keyUsage("keyCertSign", "cRLSign"),
];

export type LeafFacts = {
  /** As certified: "Milan-B0". */
  readonly productName: string;
  readonly kind: "vcek" | "vlek";
  /** Arcs below 1.3.6.1.4.1.3704.1.3 with their security versions. */
  readonly versions: Readonly<Record<number, number>>;
  readonly hardwareId?: Uint8Array;
  readonly cloudProvider?: string;
};

const AMD = "1.3.6.1.4.1.3704.1";
const plain = (arcs: string, value: CertificateExtension["value"]): CertificateExtension => ({
  oid: `${AMD}.${arcs}`,
  critical: false,
  value,
});

/** AMD's extensions, in its order but for the security versions'. */
export const leafExtensions = (facts: LeafFacts): readonly CertificateExtension[] => [
  plain("1", integer(0)),
  plain("2", ia5String(facts.productName)),
  ...Object.entries(facts.versions).map(([arc, version]) => plain(`3.${arc}`, integer(version))),
  ...(facts.hardwareId ? [plain("4", facts.hardwareId)] : []),
  ...(facts.cloudProvider ? [plain("5", ia5String(facts.cloudProvider))] : []),
];

/** Keys and certificates above the leaves of one product line. */
export type TestSnpAuthority = {
  readonly arkKey: KeyPair;
  readonly askKey: KeyPair;
  readonly ark: (deviation?: Deviation) => Uint8Array;
  /** ASK, or for VLEKs ASVK. */
  readonly ask: (kind?: "vcek" | "vlek", deviation?: Deviation) => Uint8Array;
  readonly leaf: (facts: LeafFacts, key: KeyPair, deviation?: Deviation) => Uint8Array;
  readonly crl: (serials: readonly Uint8Array[], deviation?: CrlDeviation) => Uint8Array;
};

type CrlDeviation = {
  readonly issuer?: DistinguishedName;
  readonly signedWith?: KeyPair;
  readonly thisUpdateMs?: UnixMs;
  readonly nextUpdateMs?: UnixMs;
};

export const ARK_SERIAL = Uint8Array.of(1, 0, 0);
export const ASK_SERIAL = Uint8Array.of(1, 0, 1);

/** @param keys  RSA, made once for a test file: they are slow to find */
export function testSnpAuthority(
  product: SnpProduct,
  { arkKey, askKey }: { readonly arkKey: KeyPair; readonly askKey: KeyPair },
): TestSnpAuthority {
  const arkName = amdName(`ARK-${product}`);
  const askName = (kind: "vcek" | "vlek") =>
    amdName(kind === "vcek" ? `SEV-${product}` : `SEV-VLEK-${product}`);
  return {
    arkKey,
    askKey,
    ark: (deviation) =>
      issue(
        {
          issuer: arkName,
          subject: arkName,
          publicKeyDer: arkKey.publicKeyDer,
          extensions: authorityExtensions(),
        },
        arkKey,
        { serial: ARK_SERIAL, ...deviation },
      ),
    ask: (kind = "vcek", deviation) =>
      issue(
        {
          issuer: arkName,
          subject: askName(kind),
          publicKeyDer: askKey.publicKeyDer,
          extensions: authorityExtensions(0),
        },
        arkKey,
        { serial: ASK_SERIAL, ...deviation },
      ),
    leaf: (facts, key, deviation) =>
      issue(
        {
          issuer: askName(facts.kind),
          subject: amdName(facts.kind === "vcek" ? "SEV-VCEK" : "SEV-VLEK"),
          publicKeyDer: key.publicKeyDer,
          extensions: leafExtensions(facts),
        },
        askKey,
        { serial: Uint8Array.of(0), ...deviation },
      ),
    crl: (serials, { signedWith = arkKey, ...changed } = {}) =>
      writeCrl(
        {
          issuer: arkName,
          thisUpdateMs: daysFromNow(-10),
          nextUpdateMs: daysFromNow(10),
          revoked: serials.map((serial) => ({ serial, revokedAtMs: daysFromNow(-20) })),
          extensions: [crlNumber(4)],
          ...changed,
        },
        { privateKey: signedWith.privateKey, algorithm: "rsa-pss-sha384" },
      ),
  };
}
