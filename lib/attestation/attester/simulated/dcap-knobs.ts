/** Knobs of SGX and TDX platforms: forged chains, the quoting enclave, the quote, what Intel says of the platform. */
import { DCAP_TEES, type Knob } from "./knob.ts";
import type { LevelKnob } from "./simulator-knobs.ts";

/** Honest keys in places that are not theirs. */
const CHAINS: readonly Knob[] = [
  {
    name: "pck-issues-pck",
    about: "The PCK key issues a PCK certificate of the highest versions; its chain has four.",
    tees: DCAP_TEES,
    knobs: { chain: { pck: "issued-by-pck" } },
    answer: { by: "verifier", code: "chain-length", besides: ["qe-report-signature-invalid"] },
  },
  {
    name: "pck-as-ca",
    about: "The same, but the PCK certificate takes the CA's place, so that the chain has three.",
    tees: DCAP_TEES,
    knobs: { chain: { pck: "pck-as-ca" } },
    answer: {
      by: "verifier",
      code: "pck-ca-issuer-mismatch",
      besides: [
        "pck-ca-signature-invalid",
        "pck-ca-not-a-ca",
        "pck-ca-wrong-name",
        "pck-ca-wrong-profile",
        "pck-ca-differs",
      ],
    },
  },
  {
    name: "tcb-signer-issues-pck",
    about: "The TCB signer's key issues a PCK certificate of the highest versions.",
    tees: DCAP_TEES,
    knobs: { chain: { pck: "tcb-signer-as-ca" } },
    answer: {
      by: "verifier",
      code: "pck-ca-wrong-name",
      besides: ["pck-ca-not-a-ca", "pck-ca-wrong-profile", "pck-ca-differs"],
    },
  },
  {
    name: "pck-signs-documents",
    about: "The PCK key signs a TCB info and a QE identity in which it is up to date.",
    tees: DCAP_TEES,
    knobs: { chain: { documentSigner: "pck" } },
    answer: {
      by: "verifier",
      code: "tcb-signing-wrong-name",
      besides: ["tcb-signing-issuer-mismatch", "tcb-signing-signature-invalid"],
    },
  },
  {
    name: "other-pck-ca",
    about: "The collateral is for platforms under Intel's other PCK CA.",
    tees: DCAP_TEES,
    knobs: { chain: { pckCa: "other" } },
    answer: { by: "verifier", code: "pck-ca-differs" },
  },
];

const QUOTING_ENCLAVE: readonly Knob[] = [
  {
    name: "qe-vendor-none",
    about: "The quote names no vendor of its quoting enclave.",
    tees: DCAP_TEES,
    knobs: { qe: { vendor: "none" } },
    answer: { by: "verifier", code: "qe-vendor-unknown" },
  },
  {
    name: "qe-mrsigner-other",
    about: "The quoting enclave is signed by somebody else.",
    tees: DCAP_TEES,
    knobs: { qe: { mrSigner: "other" } },
    answer: { by: "verifier", code: "qe-mrsigner-mismatch" },
  },
  {
    name: "qe-prodid-other",
    about: "It is another product of its signer.",
    tees: DCAP_TEES,
    knobs: { qe: { isvProdId: "other" } },
    answer: { by: "verifier", code: "qe-prodid-mismatch" },
  },
  {
    name: "qe-svn-low",
    about: "It is older than every level of its identity.",
    tees: DCAP_TEES,
    knobs: { qe: { isvSvn: 1 } },
    answer: { by: "verifier", code: "qe-tcb-level-not-found" },
  },
  {
    name: "qe-debug",
    about: "It is a debug enclave, which the mask of its identity sees too.",
    tees: DCAP_TEES,
    knobs: { qe: { isDebug: true } },
    answer: { by: "verifier", code: "qe-debug", besides: ["qe-attributes-mismatch"] },
  },
  {
    name: "qe-attributes-other",
    about: "It has no access to provisioning keys.",
    tees: DCAP_TEES,
    knobs: { qe: { attributeFlags: 0x05 } },
    answer: { by: "verifier", code: "qe-attributes-mismatch" },
  },
  {
    name: "qe-miscselect-other",
    about: "It reports page faults, which its identity does not know.",
    tees: DCAP_TEES,
    knobs: { qe: { miscSelect: 1 } },
    answer: { by: "verifier", code: "qe-miscselect-mismatch" },
  },
  {
    name: "qe-data-half-hashed",
    about: "Its data has 64 bytes, of which its report covers 32.",
    tees: DCAP_TEES,
    knobs: { qe: { authenticationBytes: 64, hashedAuthenticationBytes: 32 } },
    answer: { by: "verifier", code: "qe-report-data-mismatch" },
  },
  {
    name: "qe-report-spoiled",
    about: "One bit of the PCK key's signature over its report is flipped.",
    tees: DCAP_TEES,
    knobs: { qe: { reportSignature: "spoiled" } },
    answer: { by: "verifier", code: "qe-report-signature-invalid" },
  },
  {
    name: "attestation-key-off-curve",
    about: "It vouches for a key that is no point of P-256.",
    tees: DCAP_TEES,
    knobs: { qe: { attestationKey: "off-curve" } },
    answer: {
      by: "verifier",
      code: "attestation-key-invalid",
      besides: ["quote-signature-invalid"],
    },
  },
  {
    name: "qe-data-none",
    about: "Its data is empty.",
    tees: DCAP_TEES,
    knobs: { qe: { authenticationBytes: 0 } },
    answer: { by: "nobody" },
  },
  {
    name: "qe-data-long",
    about: "Its data has 64 bytes, all covered by its report.",
    tees: DCAP_TEES,
    knobs: { qe: { authenticationBytes: 64 } },
    answer: { by: "nobody" },
  },
];

const QUOTE: readonly Knob[] = [
  {
    name: "quote-signature-zero",
    about: "The signature of the quote is zero.",
    tees: DCAP_TEES,
    knobs: { quote: { signature: "zero" } },
    answer: { by: "verifier", code: "quote-signature-invalid" },
  },
  {
    name: "quote-signature-other-s",
    about: "The signature is the other one that follows from it: (r, n − s).",
    tees: DCAP_TEES,
    knobs: { quote: { signature: "other-s" } },
    answer: { by: "nobody" },
  },
  {
    name: "pck-chain-elsewhere",
    about:
      "The quote names its platform only (certification type 1); the collateral has the chain.",
    tees: DCAP_TEES,
    knobs: { quote: { certificationType: 1 } },
    answer: { by: "nobody" },
  },
  {
    name: "pck-chain-nowhere",
    about: "The same, and the collateral does not have it either.",
    tees: DCAP_TEES,
    knobs: { quote: { certificationType: 1 }, chain: { isPckChainServed: false } },
    answer: { by: "verifier", code: "pck-chain-missing", besides: ["qe-report-signature-invalid"] },
  },
  {
    name: "zeros-after-quote",
    about: "100 zeros follow the quote.",
    tees: DCAP_TEES,
    knobs: { quote: { paddingBytes: 100 } },
    answer: { by: "nobody" },
  },
  {
    name: "bytes-after-quote",
    about: "One other byte follows it.",
    tees: DCAP_TEES,
    knobs: { quote: { trailingBytes: 1 } },
    answer: { by: "parser", code: "malformed-quote" },
  },
  {
    name: "service-td",
    about: "A service TD is bound to the domain.",
    tees: ["tdx"],
    dcap: { quoteVersion: 5, tdReport: "1.5" },
    knobs: { quote: { hasServiceTd: true } },
    answer: { by: "default-policy", code: "service-td-bound" },
  },
];

const level = (
  ahead: number,
  status: LevelKnob["status"],
  publishedDaysAgo: number,
  ...advisories: readonly string[]
): LevelKnob => ({ ahead, status, advisories, publishedDaysAgo });

const PLATFORM: readonly Knob[] = [
  {
    name: "fmspc-other",
    about: "The TCB info is for platforms of another kind.",
    tees: DCAP_TEES,
    knobs: { tcb: { fmspc: "other" } },
    answer: { by: "verifier", code: "fmspc-mismatch" },
  },
  {
    name: "pceid-other",
    about: "It is for another provisioning certification enclave.",
    tees: DCAP_TEES,
    knobs: { tcb: { pceId: "other" } },
    answer: { by: "verifier", code: "pceid-mismatch" },
  },
  {
    name: "tcb-level-none",
    about: "It has no level that the platform reaches.",
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
    about: "The update was published 10 days ago.",
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

const TDX_MODULE: readonly Knob[] = [
  {
    name: "tdx-module-unlisted",
    about: "The TDX module is of a generation that Intel's documents do not have.",
    tees: ["tdx"],
    knobs: { tdxModule: { isListed: false } },
    answer: { by: "verifier", code: "tdx-module-unknown" },
  },
  {
    name: "tdx-module-signer-other",
    about: "It is signed by somebody else.",
    tees: ["tdx"],
    knobs: { tdxModule: { mrSigner: "other" } },
    answer: { by: "verifier", code: "tdx-module-mrsigner-mismatch" },
  },
  {
    name: "tdx-module-attributes-other",
    about: "It has other attributes.",
    tees: ["tdx"],
    knobs: { tdxModule: { attributes: "other" } },
    answer: { by: "verifier", code: "tdx-module-attributes-mismatch" },
  },
  {
    name: "tdx-module-old",
    about: "It is older than every level of its identity.",
    tees: ["tdx"],
    knobs: { tdxModule: { levels: [level(1, "UpToDate", 90)] } },
    answer: { by: "verifier", code: "tdx-module-tcb-level-not-found" },
  },
];

export const DCAP_KNOBS: readonly Knob[] = [
  ...CHAINS,
  ...QUOTING_ENCLAVE,
  ...QUOTE,
  ...PLATFORM,
  ...TDX_MODULE,
];
