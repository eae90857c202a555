/** Knobs of SGX and TDX platforms: forged chains, the quoting enclave, the quote, what Intel says of the platform. */
import { DCAP_TEES, type Knob } from "./knob.ts";

/** Chains made of honest keys in places that are not theirs. */
export const CHAIN_KNOBS: readonly Knob[] = [
  {
    name: "pck-issues-pck",
    about: "The PCK key issues a PCK certificate with the highest versions; the chain has four.",
    tees: DCAP_TEES,
    knobs: { chain: { pck: "issued-by-pck" } },
    answer: { by: "verifier", code: "chain-length" },
  },
];
