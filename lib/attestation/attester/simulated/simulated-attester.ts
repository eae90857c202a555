/**
 * A TEE in software: evidence in the genuine format under a development root. It promises nothing, says "simulated"
 * wherever it shows up, and is believed only by verifiers that were given its root as an anchor.
 */
import type { UnixMs } from "../../../base/ids.ts";
import { assertInvariant } from "../../../base/refusal.ts";
import type { DcapCollateral } from "../../endorsements/dcap-collateral.ts";
import type { SnpEndorsements } from "../../endorsements/snp-endorsements.ts";
import type { Attester } from "../attester.ts";
import { allKnobs } from "./knobs/honest.ts";
import type { KnobSettings } from "./knobs/simulator-knobs.ts";
import { dcapSettings, type PlatformChoice, snpSettings } from "./platform-settings.ts";
import type { DcapMeasurement } from "./quote-body.ts";
import type { DevelopmentRoot } from "./root/development-root.ts";
import { simulateDcap } from "./simulated-dcap.ts";
import { type SnpMeasurement, simulateSnp } from "./simulated-snp.ts";

/** What the TEE measured of the code in it. Fields that are left out are blank: production attributes, zero. */
export type SimulatedMeasurement = DcapMeasurement | SnpMeasurement;

/** Endorsements that somebody could have fetched for the platform, and the root to configure, DER. */
export type SimulatedEndorsements = { readonly anchor: Uint8Array } & (
  | { readonly kind: "dcap"; readonly collateral: DcapCollateral }
  | { readonly kind: "sev-snp"; readonly endorsements: SnpEndorsements }
);

/** One machine. Its attesters and endorsements belong together even where knobs had certificates issued anew. */
export type SimulatedTee = {
  readonly attester: (measurement: SimulatedMeasurement) => Attester;
  /** Dated around that instant and signed now; nothing is kept. */
  readonly endorsements: (nowMs: UnixMs) => Promise<SimulatedEndorsements>;
};

/** A machine to start: under which root, of which make, with which knobs turned. */
export type SimulatedTeeGiven = {
  readonly root: DevelopmentRoot;
  readonly platform: PlatformChoice;
  readonly knobs?: KnobSettings;
};

/** Starts a machine. SEV-SNP starts at the first use, because its root may have keys to make. */
export function simulatedTee({ root, platform, knobs }: SimulatedTeeGiven): SimulatedTee {
  const turned = allKnobs(knobs);
  if (platform.tee === "sev-snp") {
    let started: ReturnType<typeof simulateSnp> | undefined;
    const start = () => {
      started ??= simulateSnp(root, snpSettings(root, platform), turned);
      return started;
    };
    return {
      attester: (measurement) => ({
        kind: "simulated",
        attest: async (reportData) => {
          assertInvariant(measurement.tee === "sev-snp", "what is measured runs on this platform");
          const { report, certificates } = await start();
          return { kind: "snp-report", bytes: report(measurement, reportData), certificates };
        },
      }),
      endorsements: async (nowMs) => {
        const { anchor, endorsements } = await start();
        return { kind: "sev-snp", anchor, endorsements: endorsements(nowMs) };
      },
    };
  }
  const { anchor, quote, collateral } = simulateDcap(root, dcapSettings(root, platform), turned);
  return {
    attester: (measurement) => ({
      kind: "simulated",
      attest: async (reportData) => {
        assertInvariant(measurement.tee !== "sev-snp", "what is measured runs on this platform");
        return { kind: "dcap-quote", bytes: quote(measurement, reportData) };
      },
    }),
    endorsements: async (nowMs) => ({ kind: "dcap", anchor, collateral: collateral(nowMs) }),
  };
}

/**
 * The attester of a machine that nobody else needs to know.
 * @param given.platform  unset: the usual machine of the TEE that measured
 */
export function simulatedAttester(given: {
  readonly root: DevelopmentRoot;
  readonly measurement: SimulatedMeasurement;
  readonly platform?: PlatformChoice;
  readonly knobs?: KnobSettings;
}): Attester {
  const { measurement, platform = { tee: measurement.tee }, ...rest } = given;
  return simulatedTee({ ...rest, platform }).attester(measurement);
}

/** Endorsements of a machine: the same for every process of an installation, as long as no knob is turned. */
export const simulatedEndorsements = (
  given: SimulatedTeeGiven & { readonly nowMs: UnixMs },
): Promise<SimulatedEndorsements> => simulatedTee(given).endorsements(given.nowMs);
