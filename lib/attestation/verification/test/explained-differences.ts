/** Where @phala/dcap-qvl 0.3.9 judges otherwise than we do, and why. docs/attestation.md shows the same table. */

export type ExplainedDifference = {
  /** Real evidence ("file, collateral"), knobs of the simulator, or attacks of the test. */
  readonly scenarios: readonly string[];
  /** "refused", or the TCB status under which it is accepted. */
  readonly ours: string;
  readonly theirs: string;
  readonly because: string;
};

const FORGED: readonly Omit<ExplainedDifference, "ours" | "theirs">[] = [
  {
    scenarios: [
      "PCK revoked: empty list",
      "PCK revoked: list of four bytes",
      "PCK revoked: list of the root",
      "PCK revoked: list by an attacker",
      "PCK revoked: list of before",
      ...["malformed", "not-yet-valid", "expired", "signature-invalid", "issuer-mismatch"].flatMap(
        (fault) => [`root-crl-${fault}`, `pck-crl-${fault}`],
      ),
    ],
    because:
      "It authenticates no revocation list: one that cannot be read, is old or is by anybody revokes nothing.",
  },
  {
    scenarios: ["other-pck-ca"],
    because: "It takes the revocation list of Intel's other PCK CA, which cannot name this PCK.",
  },
  {
    scenarios: ["root-not-a-ca", "pck-ca-not-a-ca", "pck-issues-pck", "tcb-signer-issues-pck"],
    because:
      "Every certificate may issue others: CA flag, path length and key usage are not looked at.",
  },
  {
    scenarios: ["PCK signs documents, with its chain"],
    because:
      "Every certificate under the root may sign TCB info and QE identity: a broken platform grades itself.",
  },
  {
    scenarios: [
      "root-wrong-name",
      "root-issuer-mismatch",
      "PCK CA of another name",
      "PCK CA that names another issuer",
      "pck-wrong-name",
      "pck-issuer-mismatch",
      "TCB signer of another name",
      "tcb-signing-issuer-mismatch",
    ],
    because: "It compares no names: which role a certificate has follows from where it stands.",
  },
  {
    scenarios: ["root", "pck-ca", "pck", "tcb-signing"].map((part) => `${part}-wrong-profile`),
    because:
      "It passes over critical extensions that it does not know (RFC 5280 §4.2 forbids that).",
  },
  {
    scenarios: ["PCK expired, where a global `window` exists"],
    because: "It takes the process for a browser then, and does not look at dates of certificates.",
  },
  {
    scenarios: ["qe-vendor-none"],
    because: "It does not look at who wrote the quoting enclave.",
  },
  {
    scenarios: ["qe-data-half-hashed"],
    because:
      "It hashes the first 32 bytes of the quoting enclave's data: what follows binds nothing.",
  },
  { scenarios: ["pceid-other"], because: "It does not compare the PCEID with that of TCB info." },
  {
    scenarios: [
      "tdx-module-unlisted",
      "tdx-module-signer-other",
      "tdx-module-attributes-other",
      "tdx-module-old",
    ],
    because: "It does not look at who signed the TDX module, nor at its own level.",
  },
  {
    scenarios: ["named-platform-other"],
    because: "It does not look at what a quote without a chain says of its platform.",
  },
  { scenarios: ["bytes-after-quote"], because: "It accepts any bytes behind a quote." },
];

const STRICTER_OR_OTHER: readonly ExplainedDifference[] = [
  {
    scenarios: ["qe-data-none", "qe-data-long"],
    ours: "UpToDate",
    theirs: "refused",
    because:
      "It knows 32 bytes of the quoting enclave's data only; the format has any length, and we hash all.",
  },
  {
    scenarios: ["tcb-info-version-2", "testroot/intelqvl-quote.bin, intelqvl-collateral"],
    ours: "UpToDate",
    theirs: "refused",
    because: "It does not read TCB info of version 2. We do, and warn that it lists no advisories.",
  },
  {
    scenarios: ["sgx/v3-tlsn-quotedev-00906ed50000.bin, sgx-00906ed50000-2025-05-tcbv2"],
    ours: "SWHardeningNeeded",
    theirs: "refused",
    because: "The same.",
  },
  {
    scenarios: [
      "tdx/v4-cos113-00806f050000.bin, tdx-00806f050000-2025-05",
      "tdx/v4-cos113-00806f050000.bin, tdx-00806f050000-2025-10",
    ],
    ours: "UpToDate",
    theirs: "OutOfDate",
    because:
      "Intel's rule for modules that say their major version (TEE_TCB_SVN[1] > 0): they are graded by their identity, and the first two components do not count. It counts them.",
  },
  {
    scenarios: ["tdx/v5-oe-seamldr-90c06f000000.bin, tdx-90c06f000000-2025-06"],
    ours: "UpToDate",
    theirs: "refused",
    because: "The same: it finds no level.",
  },
  {
    scenarios: ["tdx/v5-oe-seamldr-90c06f000000.bin, tdx-90c06f000000-2026-02"],
    ours: "OutOfDate",
    theirs: "refused",
    because: "The same: it finds no level; ours is that of the module.",
  },
  {
    scenarios: ["tdx/v4-oe-50806f000000.bin, tdx-50806f000000-2023-06"],
    ours: "UpToDate",
    theirs: "refused",
    because:
      "It demands SEPT_VE_DISABLE. We warn: what attributes a TD must have is for the manifest to say.",
  },
  {
    scenarios: ["tdx/v4-oe-50806f000000.bin, tdx-50806f000000-2025-10"],
    ours: "OutOfDate",
    theirs: "refused",
    because: "The same.",
  },
];

/** Each scenario stands once. */
export const EXPLAINED_DIFFERENCES: readonly ExplainedDifference[] = [
  ...FORGED.map((each) => ({ ...each, ours: "refused", theirs: "UpToDate" })),
  ...STRICTER_OR_OTHER,
];
