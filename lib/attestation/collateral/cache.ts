/**
 * Endorsements at hand: verified when they come, renewed before they end, given during an outage as long as they count,
 * never older than what was seen before, and kept in a folder over restarts.
 */

import { utf8 } from "../../base/bytes.ts";
import { digestOf } from "../../base/ids.ts";
import { assertInvariant } from "../../base/refusal.ts";
import type { DcapCollateral } from "../endorsements/dcap-collateral.ts";
import type { VerifiedCollateral } from "../verification/verify-collateral.ts";
import { admitDcap, type DcapSet, unverifiedEndOfDcap, whatOf } from "./admit-dcap.ts";
import {
  type AdmittedAuthority,
  admitAuthority,
  admitVcek,
  unverifiedEndOfAuthority,
} from "./admit-snp.ts";
import { chipKey, EMPTY_BUNDLE } from "./bundle.ts";
import {
  type CollateralSource,
  type DcapPlatformKey,
  nameOfAuthority,
  nameOfChip,
  nameOfDcap,
  type SnpAuthority,
  type SnpAuthorityKey,
  type SnpPlatformKey,
} from "./collateral-source.ts";
import { type Floors, openFloors } from "./floors.ts";
import type { KeptObject, KeptStatus } from "./kept-object.ts";
import { keptObjects } from "./kept-objects.ts";
import { type CachePorts, storedObject } from "./stored-object.ts";

/** Platforms of one FMSPC are one: there are some dozens. */
const MAX_DCAP_SETS = 256;
/** Chips, each at its level. */
const MAX_VCEKS = 4096;
const MAX_AUTHORITIES = 16;

/** What a cache works with. */
export type CollateralCacheSettings = CachePorts & {
  /** What is not at hand is asked for here. */
  readonly source: CollateralSource;
  /** Roots that are trusted, DER: what does not verify under them is not taken. */
  readonly anchors: {
    readonly intel: readonly Uint8Array[];
    readonly amd: readonly Uint8Array[];
  };
};

/** A source that asks another one as rarely as it can. */
export type CollateralCache = CollateralSource & {
  /** The same set as `dcap`, verified when it came: for those who verify many quotes. @throws CollateralError */
  readonly verifiedDcap: (key: DcapPlatformKey) => Promise<VerifiedCollateral>;
  /** Everything that was asked for, for an operator to look at. */
  readonly statuses: () => readonly KeptStatus[];
  /** Ends all timers; what is held is still given. */
  readonly close: () => void;
};

/**
 * Opens a cache. Nothing is asked for until somebody needs it.
 * @throws CollateralError "cache-unusable" if the folder's memory of what was seen cannot be read
 */
export async function openCollateralCache(
  settings: CollateralCacheSettings,
): Promise<CollateralCache> {
  const floors = await openFloors(settings.folder, settings.log);
  const sets = keptObjects(nameOfDcap, (key) => dcapObject(key, settings, floors), MAX_DCAP_SETS);
  const authorities = keptObjects(
    nameOfAuthority,
    (key) => authorityObject(key, settings, floors),
    MAX_AUTHORITIES,
  );
  const snpAuthority = async (key: SnpAuthorityKey): Promise<SnpAuthority> =>
    (await authorities.of(key).get()).authority;
  const vceks = keptObjects(chipKey, (key) => vcekObject(key, settings, snpAuthority), MAX_VCEKS);
  const all = [sets, authorities, vceks];
  return {
    dcap: async (key) => (await sets.of(key).get()).collateral,
    verifiedDcap: async (key) => (await sets.of(key).get()).verified,
    vcek: (key) => vceks.of(key).get(),
    snpAuthority,
    statuses: () => all.flatMap((each) => each.statuses()),
    close: () => {
      for (const each of all) each.close();
    },
  };
}

function dcapObject(
  key: DcapPlatformKey,
  settings: CollateralCacheSettings,
  floors: Floors,
): KeptObject<DcapSet> {
  // It names a file and stands in a URL.
  assertInvariant(/^[0-9a-f]{12}$/.test(key.fmspc), "an FMSPC is 12 lower-case hex characters");
  return storedObject<DcapCollateral, DcapSet>(
    {
      what: whatOf(key),
      file: `dcap-${key.tee}-${key.fmspc}-${key.pckCa}.json`,
      renews: true,
      ask: () => settings.source.dcap(key),
      admit: (raw, atMs) => admitDcap(key, raw, settings.anchors.intel, atMs),
      endOf: unverifiedEndOfDcap,
      pass: ({ verified }) => floors.passDcap(verified),
      toBundle: (collateral) => ({ ...EMPTY_BUNDLE, dcap: [{ key, collateral }] }),
      fromBundle: ({ dcap }) =>
        dcap.find((each) => nameOfDcap(each.key) === nameOfDcap(key))?.collateral,
    },
    settings,
  );
}

function authorityObject(
  key: SnpAuthorityKey,
  settings: CollateralCacheSettings,
  floors: Floors,
): KeptObject<AdmittedAuthority> {
  return storedObject<SnpAuthority, AdmittedAuthority>(
    {
      what: nameOfAuthority(key),
      file: `snp-${key.product.toLowerCase()}-${key.signingKey}.json`,
      renews: true,
      ask: () => settings.source.snpAuthority(key),
      admit: (raw, atMs) => admitAuthority(key, raw, settings.anchors.amd, atMs),
      endOf: (raw) => unverifiedEndOfAuthority(key, raw),
      pass: floors.passAuthority,
      toBundle: (authority) => ({ ...EMPTY_BUNDLE, snpAuthorities: [{ key, authority }] }),
      fromBundle: ({ snpAuthorities }) =>
        snpAuthorities.find((each) => nameOfAuthority(each.key) === nameOfAuthority(key))
          ?.authority,
    },
    settings,
  );
}

function vcekObject(
  key: SnpPlatformKey,
  settings: CollateralCacheSettings,
  snpAuthority: CollateralSource["snpAuthority"],
): KeptObject<Uint8Array> {
  const { product } = key;
  const name = chipKey(key);
  return storedObject<Uint8Array, Uint8Array>(
    {
      what: `VCEK of ${nameOfChip(key)}`,
      file: `vcek-${product.toLowerCase()}-${digestOf(utf8(name))}.json`,
      // A chip's certificate for a level is made once and lives for seven years.
      renews: false,
      ask: () => settings.source.vcek(key),
      admit: async (raw, atMs) => {
        const authority = await snpAuthority({ product, signingKey: "vcek" });
        return admitVcek(key, raw, authority, settings.anchors.amd, atMs);
      },
      endOf: () => undefined,
      pass: async () => [],
      toBundle: (certificate) => ({ ...EMPTY_BUNDLE, vceks: [{ key, certificate }] }),
      fromBundle: ({ vceks }) => vceks.find((each) => chipKey(each.key) === name)?.certificate,
    },
    settings,
  );
}
