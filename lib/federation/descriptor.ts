/** `federation.json`: the one file a member is given. It is public, and holds all that the member trusts. */
import * as z from "zod/mini";
import { fromBase64, toBase64 } from "../base/base64.ts";
import { CertificateError, readCertificate } from "../base/certificate.ts";
import { type DocumentType, parseDocument, writeDocument } from "../base/document.ts";
import type { Digest, FederationId } from "../base/ids.ts";
import { MAX_SIGNED_DOCUMENT_BYTES } from "../base/limits.ts";
import { FederationError } from "./federation-error.ts";
import { federationIdOf } from "./genesis.ts";
import type { Manifest } from "./manifest/manifest.ts";
import { manifestDigest, parseManifest } from "./manifest/parse-manifest.ts";

export type FederationDescriptor = {
  /** Recomputed from the two below; to compare with a number that came another way. */
  readonly federationId: FederationId;
  /** The federation CA's self-signed certificate, DER. */
  readonly caCertificate: Uint8Array;
  readonly manifest: Manifest;
  /** Exact bytes: their digest is what counts. */
  readonly manifestBytes: Uint8Array;
  readonly manifestDigest: Digest;
  /** "host:port" or "[IPv6]:port"; a hint where to connect, not a matter of trust. */
  readonly reducerAddress: string;
};

const DOCUMENT: DocumentType = {
  kind: "fedclave/federation",
  version: 1,
  maxBytes: 2 * MAX_SIGNED_DOCUMENT_BYTES,
};
const LINE_FEED = 0x0a;
const ADDRESS = /^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):([1-9][0-9]{0,4})$/;

const descriptorSchema = z.strictObject({
  kind: z.literal(DOCUMENT.kind),
  version: z.literal(DOCUMENT.version),
  federationId: z.string(),
  caCertificate: z.string(),
  manifest: z.string(),
  reducerAddress: z.string(),
});

/**
 * Reads a descriptor and recomputes its federation id. One line feed after the object is allowed, since files end so.
 * @throws DocumentError for the descriptor or the manifest in it
 * @throws FederationError "bad-ca-certificate" | "ca-not-pinned" | "bad-address" | "wrong-federation-id" and those of
 *   parseManifest
 */
export function parseDescriptor(bytes: Uint8Array): FederationDescriptor {
  const object = bytes.at(-1) === LINE_FEED ? bytes.subarray(0, -1) : bytes;
  const document = parseDocument(object, DOCUMENT, descriptorSchema);
  const caCertificate = fromBase64(document.caCertificate);
  if (caCertificate === undefined) throw badCertificate("it is not base64");
  const manifestBytes = fromBase64(document.manifest) ?? new Uint8Array();
  const described = describe(caCertificate, manifestBytes, document.reducerAddress);
  if (described.federationId !== document.federationId) {
    throw new FederationError(
      "wrong-federation-id",
      `CA certificate and manifest are those of ${described.federationId}, not of the federation named`,
    );
  }
  return described;
}

/**
 * The bytes of the file, with a line feed at the end.
 * @throws as parseDescriptor
 */
export function writeDescriptor(
  given: Pick<FederationDescriptor, "caCertificate" | "manifestBytes" | "reducerAddress">,
): Uint8Array {
  const { caCertificate, manifestBytes, reducerAddress } = given;
  const object = writeDocument({
    kind: DOCUMENT.kind,
    version: DOCUMENT.version,
    federationId: describe(caCertificate, manifestBytes, reducerAddress).federationId,
    caCertificate: toBase64(caCertificate),
    manifest: toBase64(manifestBytes),
    reducerAddress,
  });
  return Uint8Array.of(...object, LINE_FEED);
}

function describe(
  caCertificate: Uint8Array,
  manifestBytes: Uint8Array,
  reducerAddress: string,
): FederationDescriptor {
  const manifest = parseManifest(manifestBytes);
  const digest = manifestDigest(manifestBytes);
  const caPublicKey = authorityPublicKey(caCertificate);
  checkPinned(manifest, caPublicKey);
  const federationId = federationIdOf(caPublicKey, digest);
  checkAddress(reducerAddress);
  return {
    federationId,
    caCertificate,
    manifest,
    manifestBytes,
    manifestDigest: digest,
    reducerAddress,
  };
}

/** SubjectPublicKeyInfo of a self-signed P-384 authority. */
function authorityPublicKey(caCertificate: Uint8Array): Uint8Array {
  try {
    const certificate = readCertificate(caCertificate);
    const key = certificate.publicKey;
    if (key.asymmetricKeyDetails?.namedCurve !== "secp384r1") throw badCertificate("no P-384 key");
    if (!certificate.ca) throw badCertificate("it is not an authority");
    if (!certificate.verify(key)) throw badCertificate("it is not signed by its own key");
    return new Uint8Array(key.export({ type: "spki", format: "der" }));
  } catch (cause) {
    if (cause instanceof CertificateError) throw badCertificate("it is unreadable", cause);
    throw cause;
  }
}

/** Where only on-premises reducers are accepted, the CA is of one of them. One born in an enclave shows evidence. */
function checkPinned({ roles }: Manifest, caPublicKey: Uint8Array): void {
  const pinned = roles.reducer.map((each) => (each.kind === "onprem" ? each.publicKey : undefined));
  if (pinned.includes(undefined) || pinned.includes(toBase64(caPublicKey))) return;
  throw new FederationError(
    "ca-not-pinned",
    "the CA's key is not that of a reducer whom the manifest accepts",
  );
}

function checkAddress(address: string): void {
  const port = Number(ADDRESS.exec(address)?.[1] ?? 0);
  if (port < 1 || port > 65_535) {
    throw new FederationError("bad-address", "the reducer's address is not host:port");
  }
}

const badCertificate = (why: string, cause?: unknown): FederationError =>
  new FederationError("bad-ca-certificate", `the CA certificate cannot be used: ${why}`, { cause });
