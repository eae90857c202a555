/**
 * A million hostile inputs to everything that reads or verifies evidence. Each is refused, or means what the original
 * means; none crashes its reader. About ten minutes; FUZZ_SEED repeats a run, FUZZ_INPUTS shortens it.
 */
import { randomInt } from "node:crypto";
import { describe, expect, test } from "vitest";
import { parseCbor } from "../../lib/attestation/encoding/cbor.ts";
import { findPemBlocks, parsePemChain } from "../../lib/attestation/encoding/pem.ts";
import { parseCertificate } from "../../lib/attestation/endorsements/certificate.ts";
import { parseCrl } from "../../lib/attestation/endorsements/crl.ts";
import { parseQeIdentity } from "../../lib/attestation/endorsements/qe-identity.ts";
import { readSgxExtension } from "../../lib/attestation/endorsements/sgx-extension.ts";
import { parseTcbInfo } from "../../lib/attestation/endorsements/tcb-info.ts";
import { parseQuote } from "../../lib/attestation/evidence/quote.ts";
import { parseRaTlsCertificate } from "../../lib/attestation/evidence/ra-tls-certificate.ts";
import { parseSnpReport } from "../../lib/attestation/evidence/snp-report.ts";
import { EvidenceError } from "../../lib/attestation/evidence-error.ts";
import { DAMAGED_SCENARIOS, type DcapScenario } from "../../lib/attestation/testing/dcap-cases.ts";
import { type Dice, diceFrom, mangled, randomBytes } from "../../lib/attestation/testing/fuzz.ts";
import { hasTestdata, readTestdata } from "../../lib/attestation/testing/testdata.ts";
import { verifyCollateral } from "../../lib/attestation/verification/verify-collateral.ts";
import { verifyQuote } from "../../lib/attestation/verification/verify-quote.ts";
import { verifyRaTls } from "../../lib/attestation/verification/verify-ra-tls.ts";
import { concatBytes } from "../../lib/base/bytes.ts";

const SEED = Number(process.env.FUZZ_SEED ?? randomInt(1, 2 ** 31));
const INPUTS = Number(process.env.FUZZ_INPUTS ?? 1_000_000);

type Target = {
  readonly name: string;
  /** Of all inputs, in hundredths. */
  readonly share: number;
  readonly originals: readonly Uint8Array[];
  readonly make: (original: Uint8Array, dice: Dice) => Uint8Array;
  /** @throws EvidenceError; anything else is a crash */
  readonly read: (bytes: Uint8Array, original: number) => void;
};

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));
const LONGEST_QUOTE = 8192;

function targets(): readonly Target[] {
  const scenarios = DAMAGED_SCENARIOS.map(([, scenario]) => scenario);
  const sets = scenarios.map(({ collateral }) => collateral);
  const quotes = scenarios.map(({ bytes }) => bytes);
  const judges = scenarios.map(quoteJudge);
  const readQuote = (bytes: Uint8Array, original: number) => judges[original]?.(bytes);
  const certificates = scenarios.flatMap(({ quote }) =>
    parsePemChain(quote.quotingEnclave.certification.data),
  );
  const [raTls = new Uint8Array()] = findPemBlocks(readTestdata("ratls/gramine-cert.pem")).map(
    ({ der }) => der,
  );
  const mangle = { make: mangled };
  return [
    { name: "quote", share: 30, originals: quotes, read: readQuote, ...mangle },
    {
      name: "header of a quote, and noise",
      share: 10,
      originals: quotes,
      make: (original, dice) =>
        concatBytes(
          original.subarray(0, 48 + dice(dice(600) + 1)),
          randomBytes(dice(LONGEST_QUOTE), dice),
        ),
      read: readQuote,
    },
    {
      name: "noise",
      share: 4,
      originals: quotes,
      make: (_, dice) => randomBytes(dice(LONGEST_QUOTE), dice),
      read: readQuote,
    },
    {
      name: "certificate and its SGX extension",
      share: 16,
      originals: certificates,
      read: (bytes) => void readSgxExtension(parseCertificate(bytes)),
      ...mangle,
    },
    {
      name: "revocation list",
      share: 6,
      originals: sets.flatMap(({ rootCaCrl, pckCrl }) => [rootCaCrl, pckCrl]),
      read: (bytes) => void parseCrl(bytes),
      ...mangle,
    },
    {
      name: "TCB info",
      share: 10,
      originals: sets.map(({ tcbInfo }) => bytesOf(tcbInfo)),
      read: (bytes) => void parseTcbInfo(latin1(bytes)),
      ...mangle,
    },
    {
      name: "QE identity",
      share: 6,
      originals: sets.map(({ qeIdentity }) => bytesOf(qeIdentity)),
      read: (bytes) => void parseQeIdentity(latin1(bytes)),
      ...mangle,
    },
    {
      name: "PEM",
      share: 6,
      originals: sets.map(({ pckCrlIssuerChain }) => bytesOf(pckCrlIssuerChain)),
      read: (bytes) => {
        findPemBlocks(bytes);
        parsePemChain(bytes);
      },
      ...mangle,
    },
    {
      name: "RA-TLS certificate",
      share: 4,
      originals: [raTls],
      read: (bytes) => {
        const { claims } = verifyRaTls(parseRaTlsCertificate(bytes), undefined, (quote) =>
          verifyQuote(quote, undefined, 0 as DcapScenario["nowMs"]),
        );
        expect(claims).toBeUndefined();
      },
      ...mangle,
    },
    {
      name: "CBOR",
      share: 4,
      originals: [randomBytes(64, diceFrom(1))],
      make: (_, dice) => randomBytes(dice(64), dice),
      read: (bytes) => void parseCbor(bytes),
    },
    {
      name: "SNP report",
      share: 4,
      originals: [readTestdata("snp/milan-v3-dstack.bin")],
      read: (bytes) => void parseSnpReport(bytes),
      ...mangle,
    },
  ];
}

/** Whatever is called genuine says what the original says. */
function quoteJudge({ bytes, collateral, anchors, nowMs }: DcapScenario) {
  const kept = verifyCollateral(collateral, anchors, nowMs).collateral;
  const wanted = verifyQuote(parseQuote(bytes), kept, nowMs).claims;
  if (wanted === undefined) throw new Error("the original is not genuine");
  return (input: Uint8Array): void => {
    const { claims } = verifyQuote(parseQuote(input), kept, nowMs);
    if (claims !== undefined) expect(claims).toEqual(wanted);
  };
}

// Needs ../shared/testdata/attestation.
describe.skipIf(!hasTestdata)(`hostile inputs (seed ${SEED}; needs ../shared/testdata)`, () => {
  const all = hasTestdata ? targets() : [];

  test("are as many as was promised", () => {
    expect(all.reduce((sum, { share }) => sum + share, 0)).toBe(100);
  });

  test.each(all.map((each, index) => [each.name, each, index] as const))(
    "crash nothing: %s",
    (name, { share, originals, make, read }, index) => {
      const dice = diceFrom(SEED + index);
      let refusedCount = 0;
      const count = Math.ceil((INPUTS * share) / 100);
      for (let run = 0; run < count; run += 1) {
        const which = dice(originals.length);
        const input = make(originals[which] ?? new Uint8Array(), dice);
        try {
          read(input, which);
        } catch (error) {
          if (!(error instanceof EvidenceError)) {
            throw new Error(`${name}, input ${run} of seed ${SEED}: ${hexOf(input)}`, {
              cause: error,
            });
          }
          refusedCount += 1;
        }
      }
      // Inputs that are all refused at the first byte would prove little, and so would some that never are.
      expect(refusedCount).toBeGreaterThan(count / 4);
    },
  );
});

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
