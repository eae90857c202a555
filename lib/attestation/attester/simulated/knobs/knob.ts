/** One deviation of a simulated TEE with the answer that it must get. */
import type { AppraisalCode, DefaultRefusalCode } from "../../../appraisal/codes.ts";
import type { EvidenceErrorCode } from "../../../evidence-error.ts";
import type { Tee } from "../../../verification/claims.ts";
import type { VerificationCode } from "../../../verification/codes.ts";
import type { DcapSettings, SnpSettings } from "../platform-settings.ts";
import type { KnobSettings } from "./simulator-knobs.ts";

/** Who must answer, and how. */
export type KnobAnswer =
  /** Genuine and acceptable: the deviation is within the format. */
  | { readonly by: "nobody" }
  /** Cannot be read. */
  | { readonly by: "parser"; readonly code: EvidenceErrorCode }
  /** Not genuine. `besides` are other reasons that the deviation gives on one TEE at least. */
  | {
      readonly by: "verifier";
      readonly code: VerificationCode;
      readonly besides?: readonly VerificationCode[];
    }
  /** Older than what was seen before. */
  | { readonly by: "floor"; readonly code: VerificationCode }
  /** Genuine, but acceptable to nobody who said nothing else. */
  | { readonly by: "default-policy"; readonly code: DefaultRefusalCode }
  /** Genuine, but not up to a usual TCB policy. */
  | { readonly by: "tcb-policy"; readonly code: AppraisalCode };

/** A row of the table in docs/attestation-simulator.md. */
export type Knob = {
  /** kebab-case; "pck-revoked". */
  readonly name: string;
  /** What the simulator does, in a sentence. */
  readonly about: string;
  readonly tees: readonly Tee[];
  /** What the machine must be for it. */
  readonly dcap?: Partial<Omit<DcapSettings, "tee">>;
  readonly snp?: Partial<Omit<SnpSettings, "tee">>;
  readonly knobs: KnobSettings;
  readonly answer: KnobAnswer;
};

/** Those whose evidence is a quote. */
export const DCAP_TEES: readonly Tee[] = ["sgx", "tdx"];
/** The one whose evidence is a report of AMD's firmware. */
export const SNP_TEES: readonly Tee[] = ["sev-snp"];
