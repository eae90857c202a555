/** Knobs of what Intel says of a platform and of the TDX module on it. */
import { DCAP_TEES, type Knob } from "./knob.ts";
import type { LevelKnob } from "./simulator-knobs.ts";

const level = (
  ahead: number,
  status: LevelKnob["status"],
  publishedDaysAgo: number,
  ...advisories: readonly string[]
): LevelKnob => ({ ahead, status, advisories, publishedDaysAgo });

/** What Intel's documents say of the platform, for better or worse. */
export const TCB_KNOBS: readonly Knob[] = [
  {
    name: "fmspc-other",
    about: "The TCB info is for platforms of another kind.",
    tees: DCAP_TEES,
    knobs: { tcb: { fmspc: "other" } },
    answer: { by: "verifier", code: "fmspc-mismatch" },
  },
  {
    name: "pceid-other",
    about: "The TCB info is for another provisioning certification enclave.",
    tees: DCAP_TEES,
    knobs: { tcb: { pceId: "other" } },
    answer: { by: "verifier", code: "pceid-mismatch" },
  },
  {
    name: "tcb-level-none",
    about: "The TCB info has no level that the platform reaches.",
    tees: DCAP_TEES,
    knobs: { tcb: { levels: [level(1, "UpToDate", 90)] } },
    answer: { by: "verifier", code: "tcb-level-not-found" },
  },
  {
    name: "pck-extension-malformed",
    about: "The PCK certificate's SGX extension is well-formed DER that says nothing.",
    tees: DCAP_TEES,
    knobs: { tcb: { pckExtension: "malformed" } },
    answer: { by: "verifier", code: "pck-extension-malformed" },
  },
  {
    name: "configuration-needed",
    about: "The platform is configured badly, which no grace forgives.",
    tees: DCAP_TEES,
    knobs: { tcb: { levels: [level(0, "ConfigurationNeeded", 90)] } },
    answer: { by: "tcb-policy", code: "tcb-status-not-accepted" },
  },
  {
    name: "out-of-date",
    about: "The platform misses an update that was published 40 days ago.",
    tees: DCAP_TEES,
    knobs: { tcb: { levels: [level(1, "UpToDate", 40), level(0, "OutOfDate", 400)] } },
    answer: { by: "tcb-policy", code: "tcb-grace-over" },
  },
  {
    name: "out-of-date-in-grace",
    about: "The platform misses an update that was published 10 days ago.",
    tees: DCAP_TEES,
    knobs: { tcb: { levels: [level(1, "UpToDate", 10), level(0, "OutOfDate", 400)] } },
    answer: { by: "nobody" },
  },
  {
    name: "advisory-new",
    about: "The platform needs hardened software for an advisory that nobody has allowed.",
    tees: DCAP_TEES,
    knobs: { tcb: { levels: [level(0, "SWHardeningNeeded", 90, "INTEL-SA-00614")] } },
    answer: { by: "tcb-policy", code: "advisory-not-allowed" },
  },
  {
    name: "advisory-refused",
    about: "The platform is open to an advisory that was refused by name.",
    tees: DCAP_TEES,
    knobs: { tcb: { levels: [level(0, "UpToDate", 90, "INTEL-SA-00837")] } },
    answer: { by: "tcb-policy", code: "advisory-refused" },
  },
  {
    name: "tcb-info-version-2",
    about: "The TCB info is of the version that lists no advisories.",
    tees: ["sgx"],
    knobs: { tcb: { tcbInfoVersion: 2 } },
    answer: { by: "tcb-policy", code: "advisories-unknown" },
  },
  {
    name: "evaluation-old",
    about: "Intel's documents are still valid, but of an earlier TCB recovery.",
    tees: DCAP_TEES,
    knobs: { tcb: { evaluationNumber: 17 } },
    answer: { by: "tcb-policy", code: "evaluation-number-too-low" },
  },
];

/** The module under the domain. */
export const TDX_MODULE_KNOBS: readonly Knob[] = [
  {
    name: "tdx-module-unlisted",
    about: "The TDX module is of a generation that Intel's documents do not have.",
    tees: ["tdx"],
    knobs: { tdxModule: { isListed: false } },
    answer: { by: "verifier", code: "tdx-module-unknown" },
  },
  {
    name: "tdx-module-signer-other",
    about: "The TDX module is signed by somebody else.",
    tees: ["tdx"],
    knobs: { tdxModule: { mrSigner: "other" } },
    answer: { by: "verifier", code: "tdx-module-mrsigner-mismatch" },
  },
  {
    name: "tdx-module-attributes-other",
    about: "The TDX module has other attributes.",
    tees: ["tdx"],
    knobs: { tdxModule: { attributes: "other" } },
    answer: { by: "verifier", code: "tdx-module-attributes-mismatch" },
  },
  {
    name: "tdx-module-old",
    about: "The TDX module is older than every level of its identity.",
    tees: ["tdx"],
    knobs: { tdxModule: { levels: [level(1, "UpToDate", 90)] } },
    answer: { by: "verifier", code: "tdx-module-tcb-level-not-found" },
  },
];
