/** From evidence to a verdict under a manifest: parsed, verified, appraised. The TEEs are simulated. */
import { beforeAll, describe, expect, test } from "vitest";
import { appraise } from "../../../attestation/appraisal/appraise.ts";
import type { EnclaveIdentity } from "../../../attestation/appraisal/identity.ts";
import { measureCode } from "../../../attestation/attester/simulated/measure-code.ts";
import { simulatedTee } from "../../../attestation/attester/simulated/simulated-attester.ts";
import {
  judge,
  present,
  TEST_NOW_MS,
  TEST_REPORT_DATA,
  TEST_TCB_POLICY,
  testRoot,
} from "../../../attestation/testing/judge.ts";
import type { Tee, VerifiedClaims } from "../../../attestation/verification/claims.ts";
import { toBase64 } from "../../../base/base64.ts";
import { toHex, utf8 } from "../../../base/bytes.ts";
import { sampleManifest } from "../../testing/sample-manifest.ts";
import type { Manifest } from "../manifest.ts";
import { parseManifest, writeManifest } from "../parse-manifest.ts";

const any = { any: true as const, because: "of this test" };
const zero = (bytes: number): string => "00".repeat(bytes);
const LOWEST = { fmc: 0, bootloader: 0, tee: 0, snp: 0, microcode: 0 };
const root = testRoot();
const context = { nowMs: TEST_NOW_MS, reportData: TEST_REPORT_DATA };

type Attested = { readonly claims: VerifiedClaims; readonly anchor: Uint8Array };

/** Code on a machine of an installation, attested and found genuine. */
async function attested(tee: Tee, code: string, installation = root): Promise<Attested> {
  const machine = simulatedTee({ root: installation, platform: { tee } });
  const measurement = measureCode(tee, [utf8(code)]);
  const evidence = await machine.attester(measurement).attest(TEST_REPORT_DATA);
  const before = await present({ root: installation, platform: { tee } });
  const endorsements = await machine.endorsements(TEST_NOW_MS);
  const { claims } = await judge({ ...before, evidence, endorsements });
  if (claims === undefined) throw new Error("simulated evidence is genuine under its own root");
  return { claims, anchor: endorsements.anchor };
}

/** The identity of exactly that code. */
function identityOf({ claims, anchor: der }: Attested): EnclaveIdentity {
  const common = { name: "measured", anchor: toBase64(der), platforms: any };
  switch (claims.tee) {
    case "sgx":
      return {
        ...common,
        kind: "sgx",
        measurement: { kind: "mrenclave", mrEnclave: toHex(claims.measurements.mrEnclave) },
        attributes: {
          value: "05000000000000000000000000000000",
          mask: `ff${"ff".repeat(7)}${zero(8)}`,
        },
        miscSelect: { value: zero(4), mask: "ffffffff" },
        configId: zero(64),
        minConfigSvn: 0,
        isvExtProdId: zero(16),
        isvFamilyId: zero(16),
        tcb: TEST_TCB_POLICY,
      };
    case "tdx":
      return {
        ...common,
        kind: "tdx",
        measurement: {
          mrTd: toHex(claims.measurements.mrTd),
          rtmr0: any,
          rtmr1: any,
          rtmr2: any,
          rtmr3: toHex(claims.measurements.rtmrs[3]!),
          mrConfigId: any,
          mrOwner: zero(48),
          mrOwnerConfig: zero(48),
        },
        mrSeam: any,
        mrSignerSeam: zero(48),
        mrServiceTd: zero(48),
        tdAttributes: { value: zero(8), mask: `ff${zero(7)}` },
        xfam: { value: zero(8), mask: zero(8) },
        tcb: TEST_TCB_POLICY,
      };
    case "sev-snp":
      return {
        ...common,
        kind: "sev-snp",
        measurement: {
          launch: toHex(claims.measurements.measurement),
          hostData: toHex(claims.measurements.hostData),
          idKeyDigest: zero(48),
          authorKeyDigest: zero(48),
          familyId: any,
          imageId: any,
          minGuestSvn: 0,
        },
        guestPolicy: { value: zero(8), mask: "00000000000c0000" },
        platformInfo: { value: zero(8), mask: zero(8) },
        vmpls: [0],
        signingKeys: ["vcek"],
        revocation: "checked",
        tcb: { reported: LOWEST, committed: LOWEST, launch: LOWEST },
      };
  }
}

const accepting = (identity: EnclaveIdentity, environment: Manifest["environment"]): Manifest => ({
  ...sampleManifest,
  environment,
  roles: { ...sampleManifest.roles, combiner: [identity] },
});

describe.each(["sgx", "tdx", "sev-snp"] as const)("%s", (tee) => {
  let honest: Attested;
  let identities: readonly EnclaveIdentity[];
  beforeAll(async () => {
    honest = await attested(tee, "combiner");
    const bytes = writeManifest(accepting(identityOf(honest), "development"));
    identities = parseManifest(bytes).roles.combiner.filter((each) => each.kind !== "onprem");
  }, 60_000);

  test("the code that a development manifest names is accepted", () => {
    expect(appraise(honest.claims, identities, context)).toMatchObject({
      kind: "accepted",
      identity: "measured",
    });
  });

  test("other code is refused, and nothing else is held against it", async () => {
    const { claims } = await attested(tee, "another combiner");
    const result = appraise(claims, identities, context);
    const codes = result.kind === "refused" ? result.refusals.map((each) => each.code) : [];
    const own = { sgx: "mrenclave", tdx: "mrtd", "sev-snp": "measurement" }[tee];
    expect(codes[0]).toBe(`${own}-mismatch`);
    expect(
      codes.every((code) => /^(mrenclave|mrtd|rtmr|measurement|host-data)-mismatch$/.test(code)),
    ).toBe(true);
  });

  test("the same code under the root of another installation is refused for its root alone", async () => {
    const { claims } = await attested(tee, "combiner", testRoot());
    expect(appraise(claims, identities, context)).toMatchObject({
      kind: "refused",
      refusals: [{ code: "wrong-anchor", identity: "measured" }],
    });
  }, 60_000);

  test("a production manifest cannot name it at all", () => {
    expect(() => writeManifest(accepting(identityOf(honest), "production"))).toThrow(
      expect.objectContaining({ code: "development-anchor" }),
    );
  });
});
