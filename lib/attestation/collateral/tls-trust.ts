/** Whom a TLS connection believes. There is no way to say "anybody". */
import type { RequestOptions } from "node:https";
import { equalBytes } from "../../base/bytes.ts";
import { findPemBlocks } from "../encoding/pem.ts";
import { EvidenceError } from "../evidence-error.ts";
import { CollateralError } from "./collateral-error.ts";

/** Certificates that stand in for the system's roots. */
export type TlsTrust = {
  /**
   * PEM: a server's own certificate, which is then known by itself and may have any name (a PCCS makes one when it is
   * installed); or the CA that issued it, and then the name must be the URL's.
   */
  readonly certificates: readonly string[];
};

/**
 * Settings of one connection.
 * @param known  DER: the certificate that the server must have, in place of a name
 */
export function tlsOptions(
  trust: TlsTrust | undefined,
  known: Uint8Array | undefined,
): RequestOptions {
  return {
    minVersion: "TLSv1.2",
    rejectUnauthorized: true,
    ...(trust === undefined ? {} : { ca: [...trust.certificates] }),
    ...(known === undefined
      ? {}
      : {
          checkServerIdentity: (_name, { raw }) =>
            equalBytes(raw, known) ? undefined : new Error("another certificate than before"),
        }),
  };
}

/**
 * The server's own certificate, if it was refused for its name alone and is one of those configured.
 * @param error  what the connection failed with; OpenSSL had verified the certificate by then
 */
export function knownDespiteItsName(
  error: unknown,
  trust: TlsTrust | undefined,
): Uint8Array | undefined {
  const cause = error instanceof CollateralError ? error.cause : undefined;
  if (trust === undefined || !isNameFault(cause)) return undefined;
  const { raw } = cause.cert;
  return derOf(trust).some((der) => equalBytes(der, raw)) ? raw : undefined;
}

/** Codes that OpenSSL and Node give for a certificate; all others are about the way there. */
const CERTIFICATE_FAULT =
  /^(?:ERR_TLS_CERT_ALTNAME_INVALID|CERT_.+|UNABLE_TO_.+|.*SELF_SIGNED_CERT.*|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED)$/;

/** An error if the connection failed for the server's certificate. @param what  begins the message */
export function untrustedServer(
  what: string,
  host: string,
  trust: TlsTrust | undefined,
  cause: Error,
): CollateralError | undefined {
  const code = "code" in cause ? String(cause.code) : "";
  if (!CERTIFICATE_FAULT.test(code)) return undefined;
  const remedy =
    trust === undefined
      ? "if it is a cache of your own, configure the PEM file of its certificate or of its CA"
      : "compare it with the configured PEM file; a certificate that is not in there itself must have the name in the URL";
  const message = `${what}: the certificate of ${host} is not trusted (${code}); ${remedy}`;
  return new CollateralError("untrusted-server", message, { cause });
}

type NameFault = Error & { readonly cert: { readonly raw: Uint8Array } };

const isNameFault = (cause: unknown): cause is NameFault =>
  cause instanceof Error &&
  "code" in cause &&
  cause.code === "ERR_TLS_CERT_ALTNAME_INVALID" &&
  "cert" in cause &&
  typeof cause.cert === "object" &&
  cause.cert !== null &&
  "raw" in cause.cert &&
  cause.cert.raw instanceof Uint8Array;

function derOf({ certificates }: TlsTrust): readonly Uint8Array[] {
  try {
    return certificates.flatMap(findPemBlocks).map(({ der }) => der);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return [];
  }
}
