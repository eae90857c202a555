/** Every change of one byte of an SNP report, and random damage to everything that comes with it. */
import { describe, expect, test } from "vitest";
import { parsePemChain } from "../../lib/attestation/encoding/pem.ts";
import type { SnpEndorsements } from "../../lib/attestation/endorsements/snp-endorsements.ts";
import { parseSnpReport } from "../../lib/attestation/evidence/snp-report.ts";
import { EvidenceError } from "../../lib/attestation/evidence-error.ts";
import { hasTestdata, readTestdata } from "../../lib/attestation/testing/testdata.ts";
import { AMD_ROOTS } from "../../lib/attestation/trust-anchors/amd.ts";
import {
  verifyEndorsedSnpReport,
  verifySnpReport,
} from "../../lib/attestation/verification/verify-snp.ts";
import { verifySnpEndorsements } from "../../lib/attestation/verification/verify-snp-endorsements.ts";
import type { UnixMs } from "../../lib/base/ids.ts";

const ANCHORS = Object.values(AMD_ROOTS);
const NOW_MS = Date.UTC(2025, 4, 2) as UnixMs;
const SEED = Number(process.env.FUZZ_SEED ?? 3);
const FUZZ_INPUTS = Number(process.env.FUZZ_INPUTS ?? 100_000);

// Needs ../shared/testdata/attestation.
describe.skipIf(!hasTestdata)("a genuine SNP report (needs ../shared/testdata)", () => {
  const report = hasTestdata ? readTestdata("snp/milan-v2-virtee.bin") : new Uint8Array();
  const given: SnpEndorsements = {
    leaf: hasTestdata ? readTestdata("snp/milan-v2-virtee-vcek.der") : new Uint8Array(),
    chain: hasTestdata ? parsePemChain(readTestdata("snp/milan-ask-ark.pem")) : [],
  };

  test("is refused with any byte changed to any other value", () => {
    const { endorsements } = verifySnpEndorsements(given, ANCHORS, NOW_MS);
    if (endorsements === undefined) throw new Error("the endorsements hold");
    const accepted: string[] = [];
    for (let index = 0; index < report.byteLength; index += 1) {
      const changed = report.slice();
      const original = changed[index] ?? 0;
      for (let value = 0; value < 256; value += 1) {
        changed[index] = value;
        const claims = readOr(
          () => verifyEndorsedSnpReport(parseSnpReport(changed), endorsements, NOW_MS).claims,
        );
        if ((claims !== undefined) !== (value === original)) accepted.push(`${index}: ${value}`);
      }
    }
    expect(accepted).toEqual([]);
  });

  test(`never crashes its verifier, whatever is damaged (seed ${SEED})`, () => {
    const random = randomFrom(SEED);
    const [ask = new Uint8Array(), ark = new Uint8Array()] = given.chain;
    for (let run = 0; run < FUZZ_INPUTS; run += 1) {
      const parts = [report, given.leaf, ask, ark, ask];
      const index = random() % parts.length;
      parts[index] = damaged(parts[index] ?? report, random);
      const [itsReport = report, leaf = given.leaf, itsAsk = ask, itsArk = ark, crl] = parts;
      const endorsements = { leaf, chain: [itsAsk, itsArk], ...(index === 4 && crl && { crl }) };
      const claims = readOr(
        () => verifySnpReport(parseSnpReport(itsReport), endorsements, ANCHORS, NOW_MS).claims,
      );
      expect(claims, `input ${run}`).toBeUndefined();
    }
  });
});

/** What is read; undefined for evidence that cannot be. */
function readOr<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}

/** xorshift32: the same numbers for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

/** The bytes with a span overwritten, cut out, repeated or lengthened; never unchanged. */
function damaged(bytes: Uint8Array, random: () => number): Uint8Array {
  const from = random() % bytes.byteLength;
  const to = Math.min(bytes.byteLength, from + 1 + (random() % 16));
  const head = [...bytes.subarray(0, from)];
  const tail = [...bytes.subarray(to)];
  const span = [...bytes.subarray(from, to)];
  const noise = span.map((byte) => byte ^ (1 + (random() % 255)));
  const spans = [noise, [], [...span, ...noise], [...noise, ...span, ...noise]];
  return Uint8Array.from([...head, ...(spans[random() % spans.length] ?? noise), ...tail]);
}
