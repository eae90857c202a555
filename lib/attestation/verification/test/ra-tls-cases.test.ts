/** RA-TLS certificates of others (../shared/testdata/attestation; skipped where that folder is not there). */
import { describe, expect, test } from "vitest";
import { toHex } from "../../../base/bytes.ts";
import type { UnixMs } from "../../../base/ids.ts";
import { defaultRefusals } from "../../appraisal/default-policy.ts";
import { parseQuoteCollateral } from "../../collateral/quote-collateral.ts";
import { findPemBlocks } from "../../encoding/pem.ts";
import { parseRaTlsCertificate } from "../../evidence/ra-tls-certificate.ts";
import { hasTestdata, readTestdata, readTestdataText } from "../../testing/testdata.ts";
import { INTEL_ROOT } from "../../trust-anchors/intel.ts";
import { verifyQuoteWith } from "../verify-quote.ts";
import { verifyRaTls } from "../verify-ra-tls.ts";

/** A row of cases.json about a certificate. */
type RaTlsCase = {
  readonly file: string;
  readonly kind: string;
  readonly spkiSha256: string;
  readonly certNotBefore: string;
  readonly certNotAfter: string;
  readonly mrenclave: string;
  readonly mrsigner: string;
  readonly collateral?: string;
  readonly now?: string;
  readonly expect: {
    readonly reject?: string;
    readonly statusIfDebugAllowed?: string;
    readonly advisoriesIfDebugAllowed?: readonly string[];
  };
};

const CASES = hasTestdata ? (JSON.parse(readTestdataText("cases.json")) as RaTlsCase[]) : [];
const CERTIFICATES = CASES.filter(({ kind }) => kind === "ra-tls");
const SELF_SIGNED_BADLY = CASES.filter((each) => each.expect.reject === "self-signature-invalid");

describe.skipIf(!hasTestdata)("certificates of other systems (needs ../shared/testdata)", () => {
  test("are there to be tried", () => {
    expect([CERTIFICATES.length, SELF_SIGNED_BADLY.length]).toEqual([2, 2]);
  });

  test.each(CERTIFICATES.filter(({ collateral }) => collateral !== undefined))(
    "$file is genuine, and refused for what it says of itself",
    (given) => {
      const { codes, claims } = verified(given);
      expect(codes).toEqual([]);
      expect(claims).toMatchObject({
        form: "tcg-dice",
        spkiDigest: given.spkiSha256,
        otherClaims: [],
        notBeforeMs: Date.parse(given.certNotBefore),
        notAfterMs: Date.parse(given.certNotAfter),
        attested: {
          tee: "sgx",
          isDebug: true,
          tcb: {
            status: given.expect.statusIfDebugAllowed,
            advisories: given.expect.advisoriesIfDebugAllowed,
          },
        },
      });
      const attested = claims!.attested;
      expect(defaultRefusals(attested).map(({ code }) => code)).toEqual(["debug-enclave"]);
      expect(attested.tee === "sgx" && toHex(attested.measurements.mrEnclave)).toBe(
        given.mrenclave,
      );
    },
  );

  test.each(CERTIFICATES)("$file without collateral lacks nothing else", (given) => {
    const { collateral: _, ...without } = given;
    expect(verified(without).codes).toEqual(["collateral-missing"]);
  });

  test.each(CERTIFICATES)("$file does not answer a nonce", (given) => {
    expect(verified(given, Uint8Array.of(1)).codes).toContain("nonce-mismatch");
  });

  test.each(SELF_SIGNED_BADLY)("$file is refused for its own signature", ({ file }) => {
    const parsed = parseRaTlsCertificate(readTestdata(file));
    expect(parsed.found).toEqual(["Open Enclave report"]);
    const { checks, claims } = verifyRaTls(parsed, undefined, () => ({ checks: [] }));
    expect(checks.flatMap(({ refusal }) => refusal?.code ?? [])).toEqual([
      "self-signature-invalid",
      "no-evidence",
    ]);
    expect(claims).toBeUndefined();
  });
});

function verified(given: Omit<RaTlsCase, "expect">, nonce?: Uint8Array) {
  const blocks = findPemBlocks(readTestdata(given.file));
  const collateral =
    given.collateral === undefined
      ? undefined
      : parseQuoteCollateral(readTestdataText(given.collateral));
  const nowMs = Date.parse(given.now ?? "2025-08-30T00:00:00Z") as UnixMs;
  const { checks, claims } = verifyRaTls(parseRaTlsCertificate(blocks[0]!.der), nonce, (quote) =>
    verifyQuoteWith(quote, collateral, [INTEL_ROOT], nowMs),
  );
  return { claims, codes: checks.flatMap(({ refusal }) => refusal?.code ?? []) };
}
