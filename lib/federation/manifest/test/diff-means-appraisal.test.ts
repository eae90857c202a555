/** What the diff promises, held against the appraisal itself: after a tightening nobody is accepted who was not before. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { appraise } from "../../../attestation/appraisal/appraise.ts";
import type { EnclaveIdentity } from "../../../attestation/appraisal/identity.ts";
import {
  DAY_MS,
  goodSgx,
  goodSnp,
  goodTdx,
  NOW_MS,
  sgxIdentity,
  snpIdentity,
  tdxIdentity,
} from "../../../attestation/appraisal/testing/claims-and-identities.ts";
import { TCB_STATUSES } from "../../../attestation/endorsements/tcb-info.ts";
import type { VerifiedClaims } from "../../../attestation/verification/claims.ts";
import { toHex } from "../../../base/bytes.ts";
import type { Comparator } from "../changes/change.ts";
import { sgxChanges, snpChanges, tdxChanges } from "../changes/identity-changes.ts";

const any = { any: true as const, because: "of this test" };
const orAny = <T>(value: fc.Arbitrary<T>) => fc.oneof(value, fc.constant(any));
const mostly = <T>(good: T, other: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(good) }, { weight: 1, arbitrary: other });
/** A measurement that is the good one or another one: few values, so that pairs often meet. */
const hexOf = (good: Uint8Array) => mostly(toHex(good), fc.constant("00".repeat(good.byteLength)));
const small = (low: number, high: number) => fc.integer({ min: low, max: high });
const masked = (good: Uint8Array) =>
  fc.tuple(fc.constantFrom(0xff, 0xfd, 0x05, 0), fc.constantFrom(0xff, 0)).map(([first, rest]) => {
    const mask = good.map((_, index) => (index === 0 ? first : rest));
    return { value: toHex(good.map((byte, index) => byte & mask[index]!)), mask: toHex(mask) };
  });
const flags = (good: Uint8Array) =>
  fc
    .constantFrom(0, 1, 2, 4)
    .map((bit) => good.map((byte, index) => byte ^ (index === 0 ? bit : 0)));

const advisories = fc.subarray(["INTEL-SA-1", "INTEL-SA-2"]);
const tcb = fc.record({
  accepted: fc
    .subarray(["UpToDate", "SWHardeningNeeded", "OutOfDate"] as const, { minLength: 1 })
    .chain((statuses) =>
      fc.tuple(
        ...statuses.map((status) =>
          fc.record({ status: fc.constant(status), advisories: orAny(advisories) }),
        ),
      ),
    ),
  refusedAdvisories: mostly([], advisories),
  graceDays: small(0, 2).map((weeks) => weeks * 7),
  minEvaluationNumber: mostly(18, small(18, 20)),
});
const seenTcb = fc.record({
  status: fc.oneof(
    fc.constantFrom("UpToDate" as const, "OutOfDate" as const),
    fc.constantFrom(...TCB_STATUSES),
  ),
  advisories,
  tcbEvaluationDataNumber: mostly(20, small(17, 20)),
  outOfDateSinceMs: small(0, 20).map((days) => (NOW_MS - days * DAY_MS) as typeof NOW_MS),
});
const ppid = toHex(goodSgx.platform.ppid);
const platforms = orAny(
  fc.subarray([
    { kind: "ppid" as const, id: ppid },
    { kind: "ppid" as const, id: "00".repeat(16) },
  ]),
);

const sgx = goodSgx.measurements;
const sgxIdentities = fc
  .record({
    measurement: fc.oneof(
      fc.record({ kind: fc.constant("mrenclave" as const), mrEnclave: hexOf(sgx.mrEnclave) }),
      fc.record({
        kind: fc.constant("mrsigner" as const),
        mrSigner: hexOf(sgx.mrSigner),
        isvProdId: mostly(7, small(7, 8)),
        minIsvSvn: small(2, 4),
      }),
    ),
    attributes: masked(sgx.attributes),
    configId: orAny(hexOf(sgx.configId)),
    minConfigSvn: mostly(2, small(1, 3)),
    tcb,
    platforms,
  })
  .map((change): EnclaveIdentity => ({ ...sgxIdentity, ...change }));
const sgxClaims = fc.tuple(seenTcb, small(2, 4), flags(sgx.attributes)).map(
  ([seen, isvSvn, attributes]): VerifiedClaims => ({
    ...goodSgx,
    tcb: { ...goodSgx.tcb, ...seen },
    measurements: { ...sgx, isvSvn, attributes },
  }),
);

const tcbClaims = seenTcb.map(
  (seen): VerifiedClaims => ({
    ...goodSgx,
    tcb: { ...goodSgx.tcb, ...seen },
  }),
);

const tdx = goodTdx.measurements;
const tdxIdentities = fc
  .record({
    rtmr2: orAny(hexOf(tdx.rtmrs[2]!)),
    mrConfigId: orAny(hexOf(tdx.mrConfigId)),
    mrServiceTd: orAny(fc.constant("00".repeat(48))),
    tdAttributes: masked(tdx.tdAttributes),
    tcb,
  })
  .map(
    ({ rtmr2, mrConfigId, ...change }): EnclaveIdentity => ({
      ...tdxIdentity,
      ...change,
      measurement: { ...tdxIdentity.measurement, rtmr2, mrConfigId },
    }),
  );
const tdxClaims = fc.tuple(seenTcb, flags(tdx.tdAttributes), small(0, 1)).map(
  ([seen, tdAttributes, service]): VerifiedClaims => ({
    ...goodTdx,
    tcb: { ...goodTdx.tcb, ...seen },
    measurements: { ...tdx, tdAttributes, mrServiceTd: new Uint8Array(48).fill(service) },
  }),
);

const snpIdentities = fc
  .record({
    hostData: orAny(hexOf(goodSnp.measurements.hostData)),
    minGuestSvn: small(4, 6),
    vmpls: fc.subarray([0, 1], { minLength: 1 }),
    signingKeys: fc.subarray(["vcek", "vlek"] as const, { minLength: 1 }),
    revocation: orAny(fc.constant("checked" as const)),
    microcode: small(216, 218),
  })
  .map(
    ({ hostData, minGuestSvn, microcode, ...change }): EnclaveIdentity => ({
      ...snpIdentity,
      ...change,
      measurement: { ...snpIdentity.measurement, hostData, minGuestSvn },
      tcb: { ...snpIdentity.tcb, launch: { ...snpIdentity.tcb.launch, microcode } },
    }),
  );
const snpClaims = fc
  .tuple(small(4, 6), small(0, 1), fc.boolean(), fc.constantFrom("vcek" as const, "vlek" as const))
  .map(
    ([guestSvn, vmpl, revocationChecked, signingKey]): VerifiedClaims => ({
      ...goodSnp,
      measurements: { ...goodSnp.measurements, guestSvn, vmpl },
      platform: { ...goodSnp.platform, revocationChecked, signingKey },
    }),
  );

test.each([
  ["the TCB", tcb.map((policy) => ({ ...sgxIdentity, tcb: policy })), tcbClaims, sgxChanges],
  ["SGX", sgxIdentities, sgxClaims, sgxChanges],
  ["TDX", tdxIdentities, tdxClaims, tdxChanges],
  ["SEV-SNP", snpIdentities, snpClaims, snpChanges],
] as const)(
  "%s: what is accepted after changes of which none is a loosening was accepted before",
  (_what, identities, claims, changes) => {
    const compare = changes as unknown as Comparator<EnclaveIdentity>;
    let tried = 0;
    fc.assert(
      fc.property(identities, identities, claims, (before, other, seen) => {
        // Of random pairs few tighten only, so fields are taken over one by one as long as that still holds.
        let after: EnclaveIdentity = before;
        for (const field of Object.keys(other) as (keyof EnclaveIdentity)[]) {
          const next = { ...after, [field]: other[field] } as EnclaveIdentity;
          if (compare(before, next, "").every((each) => each.direction !== "loosening"))
            after = next;
        }
        if (appraise(seen, [after], { nowMs: NOW_MS }).kind === "refused") return;
        tried += 1;
        expect(appraise(seen, [before], { nowMs: NOW_MS }).kind).toBe("accepted");
      }),
      { numRuns: 1500 },
    );
    expect(tried).toBeGreaterThan(20);
  },
);
