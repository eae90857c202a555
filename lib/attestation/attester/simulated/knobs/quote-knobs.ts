/** Knobs of SGX and TDX quotes and of the chains in them. */
import { DCAP_TEES, type Knob } from "./knob.ts";

/** Honest keys in places that are not theirs. */
export const CHAIN_KNOBS: readonly Knob[] = [
  {
    name: "pck-issues-pck",
    about: "The PCK key issues a PCK certificate of the highest versions; its chain has four.",
    tees: DCAP_TEES,
    knobs: { chain: { pck: "issued-by-pck" } },
    answer: { by: "verifier", code: "chain-length", besides: ["qe-report-signature-invalid"] },
  },
  {
    name: "pck-as-ca",
    about:
      "The PCK key issues a PCK certificate of the highest versions, and its own stands in the CA's place.",
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

/** The quote's own bytes. */
export const QUOTE_KNOBS: readonly Knob[] = [
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
    about: "The quote names its platform only, and the collateral does not have the chain either.",
    tees: DCAP_TEES,
    knobs: { quote: { certificationType: 1 }, chain: { isPckChainServed: false } },
    answer: { by: "verifier", code: "pck-chain-missing", besides: ["qe-report-signature-invalid"] },
  },
  {
    name: "named-platform-other",
    about: "The quote names another platform than the chain in the collateral certifies.",
    tees: DCAP_TEES,
    knobs: { quote: { certificationType: 1, namedPlatform: "other" } },
    answer: { by: "verifier", code: "pck-differs-from-quote" },
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
    about: "One byte that is not zero follows the quote.",
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
