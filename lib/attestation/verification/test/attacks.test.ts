/** Forged trust: attacks that verifiers in the field let pass (attestation.md §1.4), each by its own code. */
import { afterEach, describe, expect, test } from "vitest";
import type { UnixMs } from "../../../base/ids.ts";
import { FAULT_KNOBS } from "../../attester/simulated/knobs/fault-knobs.ts";
import type { KnobSettings } from "../../attester/simulated/knobs/simulator-knobs.ts";
import type { DcapCollateral } from "../../endorsements/dcap-collateral.ts";
import { parseQuote } from "../../evidence/quote.ts";
import { codesUnderKept, judge, present, TEST_NOW_MS, testRoot } from "../../testing/judge.ts";
import { INTEL_ROOT } from "../../trust-anchors/intel.ts";
import { verifyCollateral } from "../verify-collateral.ts";
import { verifyQuote } from "../verify-quote.ts";

const root = testRoot();
const platform = { tee: "sgx" } as const;

type Change = (given: DcapCollateral) => Partial<DcapCollateral>;

/** What the machine does, then what somebody does to its collateral. */
async function codesOf(
  knobs: KnobSettings,
  change: Change = () => ({}),
): Promise<readonly string[]> {
  const presented = await present({ root, platform, knobs });
  const { endorsements } = presented;
  if (endorsements.kind !== "dcap") throw new Error("SGX has collateral");
  const collateral = { ...endorsements.collateral, ...change(endorsements.collateral) };
  return (await judge({ ...presented, endorsements: { ...endorsements, collateral } })).codes;
}

const revoked: KnobSettings = { faults: { certificates: { pck: "revoked" } } };
const unlisted = (fault: "expired" | "signature-invalid"): KnobSettings => ({
  faults: { certificates: { pck: "revoked" }, documents: { "pck-crl": fault } },
});

afterEach(() => {
  Reflect.deleteProperty(globalThis, "window");
});

describe("a revoked PCK", () => {
  test.each<[string, KnobSettings, Change | undefined, readonly string[]]>([
    ["is refused by the list that has it", revoked, undefined, ["pck-revoked"]],
    [
      "is not saved by an empty list",
      revoked,
      () => ({ pckCrl: new Uint8Array() }),
      ["pck-crl-malformed"],
    ],
    [
      "is not saved by four bytes",
      revoked,
      () => ({ pckCrl: Uint8Array.of(0xde, 0xad, 0xbe, 0xef) }),
      ["pck-crl-malformed"],
    ],
    [
      "is not saved by the root's list",
      revoked,
      ({ rootCaCrl }) => ({ pckCrl: rootCaCrl }),
      ["pck-crl-issuer-mismatch", "pck-crl-signature-invalid"],
    ],
    [
      "is not saved by a list that an attacker signed",
      unlisted("signature-invalid"),
      undefined,
      ["pck-crl-signature-invalid"],
    ],
    [
      "is not saved by a list from before its revocation",
      unlisted("expired"),
      undefined,
      ["pck-crl-expired"],
    ],
  ])("%s", async (_, knobs, change, codes) => {
    expect(await codesOf(knobs, change)).toEqual(codes);
  });
});

describe("honest keys in other places", () => {
  test.each<[string, KnobSettings, readonly string[]]>([
    [
      "a PCK that issues a PCK, below its own chain",
      { chain: { pck: "issued-by-pck" } },
      ["chain-length", "qe-report-signature-invalid"],
    ],
    [
      "a PCK that signs documents, with its own chain",
      { chain: { documentSigner: "pck-with-its-chain" } },
      ["chain-length"],
    ],
    [
      "a PCK CA that may not issue",
      { faults: { certificates: { "pck-ca": "not-a-ca" } } },
      ["pck-ca-not-a-ca"],
    ],
    [
      "a PCK CA that may sign lists only",
      { faults: { certificates: { "pck-ca": "no-cert-sign" } } },
      ["pck-ca-not-a-ca"],
    ],
    [
      "a PCK that says it is an authority",
      { faults: { certificates: { pck: "is-a-ca" } } },
      ["pck-is-a-ca"],
    ],
  ])("%s", async (_, knobs, codes) => {
    expect(await codesOf(knobs)).toEqual(codes);
  });
});

describe("under honest collateral that was kept, a quote whose chain", () => {
  const codesUnderHonest = async (knobs: KnobSettings): Promise<readonly string[]> => {
    const { evidence, before } = await present({ root, platform, knobs });
    const both = { evidence, endorsements: before, before };
    const { claims, codes } = await judge(both);
    expect(claims).toBeUndefined();
    expect(codesUnderKept(both)).toEqual(codes);
    return codes;
  };

  test.each([
    ["issued-by-pck", "chain-length"],
    ["pck-as-ca", "pck-ca-issuer-mismatch"],
    ["tcb-signer-as-ca", "pck-ca-wrong-name"],
  ] as const)("is forged (%s) is refused: %s", async (pck, code) => {
    expect(await codesUnderHonest({ chain: { pck } })).toContain(code);
  });

  const faults = FAULT_KNOBS.filter(
    ({ name }) => /^(?:root|pck-ca|pck)-(?!crl)/.test(name) && !name.endsWith("revoked"),
  ).map(({ name, knobs }) => [name, knobs] as const);

  test.each(faults)("has a fault is refused: %s", async (code, knobs) => {
    expect(await codesUnderHonest(knobs)).toContain(code);
  });

  test("ends at another certificate of the root's own key is refused", async () => {
    const codes = await codesUnderHonest({ faults: { certificates: { root: "expired" } } });
    expect(codes).toEqual(["root-expired", "root-not-trusted"]);
  });
});

test("an expired certificate is refused where a global window makes others forget dates", async () => {
  Reflect.set(globalThis, "window", {});
  expect(await codesOf({ faults: { certificates: { pck: "expired" } } })).toEqual(["pck-expired"]);
});

test.each<[string, Change]>([
  ["white space at the end of TCB info", ({ tcbInfo }) => ({ tcbInfo: `${tcbInfo}\n` })],
  ["white space inside", ({ tcbInfo }) => ({ tcbInfo: tcbInfo.replace(",", ", ") })],
  [
    "another number in it",
    ({ tcbInfo }) => ({ tcbInfo: tcbInfo.replace('"pcesvn":13', '"pcesvn":12') }),
  ],
  ["no signature", () => ({ tcbInfoSignature: new Uint8Array(64) })],
])("%s is refused as tcb-info-signature-invalid", async (_, change) => {
  expect(await codesOf({}, change)).toEqual(["tcb-info-signature-invalid"]);
});

test("evidence of a development root is not Intel's", async () => {
  const presented = await present({ root, platform });
  expect((await judge(presented, INTEL_ROOT)).codes).toEqual(["root-not-trusted"]);
});

test("evidence of one installation is not another's, though all names are equal", async () => {
  const other = await present({ root: testRoot(), platform });
  const presented = await present({ root, platform });
  expect((await judge(presented, other.endorsements.anchor)).codes).toEqual(["root-not-trusted"]);
  const { endorsements } = other;
  expect((await judge({ ...presented, endorsements })).codes).toEqual([
    "pck-ca-differs",
    "root-not-trusted",
  ]);
});

test("nothing simulated outlives its documents", async () => {
  const { evidence, endorsements } = await present({ root, platform });
  if (endorsements.kind !== "dcap") throw new Error("SGX has collateral");
  const { collateral } = verifyCollateral(
    endorsements.collateral,
    [endorsements.anchor],
    TEST_NOW_MS,
  );
  const later = (TEST_NOW_MS + 30 * 24 * 60 * 60 * 1000) as UnixMs;
  const { checks } = verifyQuote(parseQuote(evidence.bytes), collateral, later);
  expect(checks.flatMap(({ refusal }) => refusal?.code ?? []).sort()).toEqual([
    "pck-crl-expired",
    "qe-identity-expired",
    "root-crl-expired",
    "tcb-info-expired",
  ]);
});
