/** Every knob by name, for tests, for `fedclave attest simulate --knob`, and for docs/attestation-simulator.md. */
import type { Tee } from "../../../verification/claims.ts";
import type { PlatformChoice } from "../platform-settings.ts";
import { FAULT_KNOBS } from "./fault-knobs.ts";
import type { Knob } from "./knob.ts";
import { CHAIN_KNOBS, QUOTE_KNOBS } from "./quote-knobs.ts";
import { QUOTING_ENCLAVE_KNOBS } from "./quoting-enclave-knobs.ts";
import { SNP_KNOBS } from "./snp-knobs.ts";
import { TCB_KNOBS, TDX_MODULE_KNOBS } from "./tcb-knobs.ts";

/** No two have the same code. */
export const KNOBS: readonly Knob[] = [
  {
    name: "honest",
    about: "Nothing is turned: a current platform, well configured.",
    tees: ["sgx", "tdx", "sev-snp"],
    knobs: {},
    answer: { by: "nobody" },
  },
  {
    name: "debug",
    about: "The enclave, domain or guest may be looked into by its host.",
    tees: ["sgx", "tdx", "sev-snp"],
    knobs: { quote: { isDebug: true }, snp: { isDebug: true } },
    answer: { by: "default-policy", code: "debug-enclave" },
  },
  ...FAULT_KNOBS,
  ...CHAIN_KNOBS,
  ...QUOTING_ENCLAVE_KNOBS,
  ...QUOTE_KNOBS,
  ...TCB_KNOBS,
  ...TDX_MODULE_KNOBS,
  ...SNP_KNOBS,
];

/** The knob of that name. */
export const findKnob = (name: string): Knob | undefined =>
  KNOBS.find((knob) => knob.name === name);

/** A machine of the TEE on which the knob can be turned. @param tee  one of the knob's */
export const platformFor = (knob: Knob, tee: Tee): PlatformChoice =>
  tee === "sev-snp" ? { ...knob.snp, tee } : { ...knob.dcap, tee };
