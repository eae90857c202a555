/** Port: what a TEE says about the code that runs in it. */
import { CodedError } from "../../base/refusal.ts";
import type { DcapCollateral } from "../endorsements/dcap-collateral.ts";

/** Bytes that evidence binds: a hash of what the attester wants to be believed. */
export const REPORT_DATA_BYTES = 64;

/** What a platform says of itself, with what came along; nobody has verified it. */
export type Evidence =
  | {
      readonly kind: "dcap-quote";
      readonly bytes: Uint8Array;
      readonly collateral?: DcapCollateral;
    }
  | {
      readonly kind: "snp-report";
      readonly bytes: Uint8Array;
      /** DER, as the host gave them: VCEK or VLEK first, then ASK or ASVK, then ARK. May be empty. */
      readonly certificates: readonly Uint8Array[];
    };

/** Asks the platform for evidence. Calls may overlap; answers come in the order of the calls. */
export type Attester = {
  /** "simulated" is said wherever the evidence shows up. */
  readonly kind: "gramine-sgx" | "tdx" | "sev-snp" | "simulated";
  /**
   * Evidence over these 64 bytes. Calls are answered one at a time, in order, off the event loop.
   * @throws AttesterError
   */
  readonly attest: (reportData: Uint8Array) => Promise<Evidence>;
};

/** Why there is no evidence; the message says what was tried and what to look at. */
export class AttesterError extends CodedError<
  /** Not inside that TEE, or its device files are not there. */
  | "not-in-tee"
  /** The platform did not give evidence: AESM, the quote provider or the firmware. */
  | "no-evidence"
  /** The evidence binds other bytes than were given. */
  | "wrong-report-data"
> {}
