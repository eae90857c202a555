/** The federation's certificate authority: a P-384 key that never leaves the reducer but sealed. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import { readCertificate } from "../base/certificate.ts";
import { authorityKeyId, subjectKeyId } from "../base/certificate-extensions.ts";
import { writeCertificate } from "../base/certificate-writer.ts";
import { curveSigner } from "../base/der-signature.ts";
import type { FederationId, Name, Role, UnixMs } from "../base/ids.ts";
import { KeyError, parsePublicKey } from "../base/keys.ts";
import type { Randomness } from "../base/randomness.ts";
import { Secret } from "../base/secret.ts";
import {
  AUTHORITY_LIFETIME_MS,
  AUTHORITY_UNIT,
  authorityKeyUsage,
  BACKDATED_MS,
  basicConstraints,
  certificateName,
  extendedKeyUsage,
  LEAF_LIFETIME_MS,
  leafKeyUsage,
  MAX_LEAF_LIFETIME_MS,
  MIN_LEAF_LIFETIME_MS,
  memberUnit,
  memberUri,
  ROLE_KEY_USAGE,
  uriAlternativeNames,
} from "./certificate-profile.ts";
import { ProvisioningError } from "./provisioning-error.ts";

/** Made first: the federation id is a hash over its public half. */
export type AuthorityKey = {
  readonly privateKey: KeyObject;
  /** SubjectPublicKeyInfo, DER, 120 bytes. */
  readonly publicKeyDer: Uint8Array;
};

export type CertificateRequest = {
  readonly role: Role;
  readonly member: Name;
  /** SubjectPublicKeyInfo of a P-256 key, DER; whoever asks has proved to hold it. */
  readonly publicKeyDer: Uint8Array;
  /** 1 minute to 30 days; unset means 24 hours. Cut to the authority's own end. */
  readonly lifetimeMs?: number;
  readonly untrustedNowMs: UnixMs;
};

export type IssuedCertificate = {
  /** DER, leaf first, the federation CA last. */
  readonly certificateChain: readonly [Uint8Array, Uint8Array];
  /** The leaf's last valid second. */
  readonly notAfterMs: UnixMs;
};

export type Authority = {
  readonly federationId: FederationId;
  /** The self-signed CA certificate, DER; public. */
  readonly caCertificate: Uint8Array;
  /** PKCS#8 DER, for sealed storage only. */
  readonly exportPrivateKey: () => Secret<Uint8Array>;
  /** @throws ProvisioningError "wrong-curve" | "lifetime-out-of-range" */
  readonly issueCertificate: (request: CertificateRequest) => IssuedCertificate;
};

const SERIAL_BYTES = 16;

/** A fresh P-384 key, from the operating system's generator inside OpenSSL. */
export function generateAuthorityKey(): AuthorityKey {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  return { privateKey, publicKeyDer: authorityPublicKey(privateKey) };
}

/** PKCS#8 PEM, not encrypted: for a reducer outside of any enclave, until it has sealed the key. */
export const authorityKeyPem = ({ privateKey }: AuthorityKey): Secret<string> =>
  new Secret(privateKey.export({ type: "pkcs8", format: "pem" }).toString());

/**
 * Reads what authorityKeyPem wrote.
 * @throws ProvisioningError "wrong-authority-key" if it is no P-384 private key
 */
export function parseAuthorityKeyPem(pem: Secret<string>): AuthorityKey {
  return parsedAuthorityKey(() => createPrivateKey({ key: pem.reveal(), format: "pem" }));
}

/** The authority of a new federation: signs its own certificate, valid for 10 years. */
export function createAuthority(given: {
  readonly federationId: FederationId;
  readonly key: AuthorityKey;
  readonly randomness: Randomness;
  readonly untrustedNowMs: UnixMs;
}): Authority {
  const { federationId, key, randomness, untrustedNowMs } = given;
  const name = certificateName(AUTHORITY_UNIT, federationId);
  const caCertificate = writeCertificate(
    {
      serial: newSerial(randomness),
      issuer: name,
      subject: name,
      notBeforeMs: (untrustedNowMs - BACKDATED_MS) as UnixMs,
      notAfterMs: (untrustedNowMs + AUTHORITY_LIFETIME_MS) as UnixMs,
      publicKeyDer: key.publicKeyDer,
      extensions: [basicConstraints(true), authorityKeyUsage, subjectKeyId(key.publicKeyDer)],
    },
    curveSigner(key.privateKey),
  );
  return authorityOf(federationId, key, caCertificate, randomness);
}

/**
 * The authority again, from what was sealed.
 * @throws ProvisioningError "wrong-authority-key" if key and certificate do not belong together
 * @throws CertificateError "unreadable-certificate"
 */
export function restoreAuthority(given: {
  readonly federationId: FederationId;
  readonly privateKeyDer: Secret<Uint8Array>;
  readonly caCertificate: Uint8Array;
  readonly randomness: Randomness;
}): Authority {
  const { federationId, caCertificate, randomness } = given;
  const der = Buffer.from(given.privateKeyDer.reveal());
  const key = parsedAuthorityKey(() =>
    createPrivateKey({ key: der, format: "der", type: "pkcs8" }),
  );
  const certificate = readCertificate(caCertificate);
  if (
    !certificate.checkPrivateKey(key.privateKey) ||
    certificate.subject !== `OU=${AUTHORITY_UNIT}\nCN=${federationId}`
  ) {
    throw wrongAuthorityKey();
  }
  return authorityOf(federationId, key, caCertificate, randomness);
}

function authorityOf(
  federationId: FederationId,
  key: AuthorityKey,
  caCertificate: Uint8Array,
  randomness: Randomness,
): Authority {
  const caNotAfterMs = Date.parse(readCertificate(caCertificate).validTo);
  return {
    federationId,
    caCertificate,
    exportPrivateKey: () =>
      new Secret(new Uint8Array(key.privateKey.export({ type: "pkcs8", format: "der" }))),
    issueCertificate: (request) => {
      const { role, member, untrustedNowMs } = request;
      const publicKeyDer = checkedPublicKey(request.publicKeyDer);
      const lifetimeMs = checkedLifetime(request.lifetimeMs ?? LEAF_LIFETIME_MS);
      const endMs = Math.min(untrustedNowMs + lifetimeMs, caNotAfterMs);
      const notAfterMs = (Math.floor(endMs / 1000) * 1000) as UnixMs;
      const leaf = writeCertificate(
        {
          serial: newSerial(randomness),
          issuer: certificateName(AUTHORITY_UNIT, federationId),
          subject: certificateName(memberUnit(role), member),
          notBeforeMs: (untrustedNowMs - BACKDATED_MS) as UnixMs,
          notAfterMs,
          publicKeyDer,
          extensions: [
            basicConstraints(false),
            leafKeyUsage,
            extendedKeyUsage(ROLE_KEY_USAGE[role]),
            uriAlternativeNames(memberUri(federationId, role, member)),
            subjectKeyId(publicKeyDer),
            authorityKeyId(key.publicKeyDer),
          ],
        },
        curveSigner(key.privateKey),
      );
      return { certificateChain: [leaf, caCertificate], notAfterMs };
    },
  };
}

function parsedAuthorityKey(parse: () => KeyObject): AuthorityKey {
  try {
    const privateKey = parse();
    return { privateKey, publicKeyDer: authorityPublicKey(privateKey) };
  } catch {
    // The cause is dropped: nothing derived from a private key goes into a log.
    throw wrongAuthorityKey();
  }
}

function authorityPublicKey(privateKey: KeyObject): Uint8Array {
  const publicKey = createPublicKey(privateKey);
  if (publicKey.asymmetricKeyDetails?.namedCurve !== "secp384r1") throw wrongAuthorityKey();
  return new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
}

function checkedPublicKey(publicKeyDer: Uint8Array): Uint8Array {
  try {
    parsePublicKey(publicKeyDer);
    return publicKeyDer;
  } catch (cause) {
    if (!(cause instanceof KeyError)) throw cause;
    throw new ProvisioningError("wrong-curve", "certificates are issued for P-256 keys only", {
      cause,
    });
  }
}

function checkedLifetime(lifetimeMs: number): number {
  if (lifetimeMs >= MIN_LEAF_LIFETIME_MS && lifetimeMs <= MAX_LEAF_LIFETIME_MS) return lifetimeMs;
  throw new ProvisioningError("lifetime-out-of-range", "certificates live 1 minute to 30 days");
}

/** 128 random bits; the top bit cleared and the next one set, so that it is positive and never short. */
function newSerial(randomness: Randomness): Uint8Array {
  const serial = randomness.bytes(SERIAL_BYTES);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial;
}

const wrongAuthorityKey = (): ProvisioningError =>
  new ProvisioningError("wrong-authority-key", "the key is not that of this federation's CA");
