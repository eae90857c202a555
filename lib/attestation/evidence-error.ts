/** What cannot be read at all: evidence or endorsements that are not in their format. */
import { CodedError, printable } from "../base/refusal.ts";

/** One code for each kind of object; the message says what is wrong with it and where. */
export type EvidenceErrorCode =
  | "malformed-der"
  | "malformed-pem"
  | "malformed-cbor"
  | "malformed-certificate"
  | "malformed-crl"
  | "malformed-sgx-extension"
  | "malformed-quote"
  | "malformed-tcb-info"
  | "malformed-qe-identity"
  | "malformed-snp-report"
  | "malformed-ra-tls"
  | "malformed-collateral"
  | "too-large";

/** Thrown by parsers only; what reads well but does not hold is a refusal. */
export class EvidenceError extends CodedError<EvidenceErrorCode> {
  /** @param message  may quote a stranger's bytes: shown cut and without control characters */
  constructor(code: EvidenceErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(code, printable(message), options);
  }
}
