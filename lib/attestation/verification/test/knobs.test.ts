/** Every knob of the simulator gets the answer that it must get, under a code that no other knob has. */
import { describe, expect, test } from "vitest";
import { KNOBS, platformFor } from "../../attester/simulated/knobs/knobs.ts";
import { codesUnderKept, judge, present, testRoot } from "../../testing/judge.ts";
import {
  CERTIFICATE_FAULTS,
  CERTIFICATE_PARTS,
  DATED_OBJECT_FAULTS,
  DATED_OBJECTS,
  OTHER_CODES,
} from "../codes.ts";

const root = testRoot();

describe.each(KNOBS.map((knob) => [knob.name, knob] as const))("%s", (_, knob) => {
  const { answer, tees } = knob;
  const own = answer.by === "nobody" ? [] : [answer.code];
  const besides: readonly string[] = answer.by === "verifier" ? (answer.besides ?? []) : [];

  test(`is answered by ${answer.by} ${own} on ${tees}`, async () => {
    const others = new Set<string>();
    for (const tee of tees) {
      const platform = platformFor(knob, tee);
      const presented = await present({ root, platform, knobs: knob.knobs });
      const { by, codes } = await judge(presented);
      expect([tee, by, codes.filter((code) => !besides.includes(code))]).toEqual([
        tee,
        answer.by,
        own,
      ]);
      const underKept = by === "parser" ? undefined : codesUnderKept(presented);
      if (underKept !== undefined) expect(underKept).toEqual(by === "verifier" ? codes : []);
      for (const code of codes) if (besides.includes(code)) others.add(code);
    }
    expect([...others].sort()).toEqual([...besides].sort());
  });
});

test("no two knobs have the same name or the same code", () => {
  const names = KNOBS.map(({ name }) => name);
  expect(repeated(names)).toEqual([]);
  const codes = KNOBS.flatMap(({ answer }) => (answer.by === "nobody" ? [] : [answer.code]));
  expect(repeated(codes)).toEqual([]);
});

const repeated = (texts: readonly string[]): readonly string[] =>
  texts.filter((text, index) => texts.indexOf(text) !== index);

test("codes without a knob are known", () => {
  const known = new Set(KNOBS.flatMap(({ answer }) => ("code" in answer ? [answer.code] : [])));
  const codes: readonly string[] = [
    ...CERTIFICATE_PARTS.flatMap((part) => CERTIFICATE_FAULTS.map((fault) => `${part}-${fault}`)),
    ...DATED_OBJECTS.flatMap((object) => DATED_OBJECT_FAULTS.map((fault) => `${object}-${fault}`)),
    ...OTHER_CODES,
  ];
  expect(codes.filter((code) => !(known as ReadonlySet<string>).has(code))).toEqual([
    // Authorities are authorities, leafs are leafs; nobody lists roots of Intel's or leafs of AMD's.
    "root-revoked",
    "root-is-a-ca",
    "pck-ca-is-a-ca",
    "pck-not-a-ca",
    "tcb-signing-not-a-ca",
    "ark-is-a-ca",
    // An ARK of another name is the root of no product: "snp-product-unknown".
    "ark-wrong-name",
    "ask-is-a-ca",
    "vcek-revoked",
    "vcek-not-a-ca",
    // Lists are for both TEEs, documents name no issuer.
    "root-crl-wrong-tee",
    "pck-crl-wrong-tee",
    "ark-crl-wrong-tee",
    "tcb-info-issuer-mismatch",
    "qe-identity-issuer-mismatch",
    // What the verifier is given, and RA-TLS certificates.
    "root-not-trusted",
    "chain-malformed",
    "collateral-missing",
    "self-signature-invalid",
    "critical-extension-unknown",
    "no-evidence",
    "several-evidences",
    "public-key-not-bound",
    "report-data-mismatch",
    "nonce-mismatch",
  ]);
});
