/** Endorsements of many platforms in one file: for machines without a network, and to keep what was fetched. */
import { toHex } from "../../base/bytes.ts";
import type { DcapCollateral } from "../endorsements/dcap-collateral.ts";
import { CollateralError } from "./collateral-error.ts";
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

/** Nothing in it is verified; no key stands twice. */
export type CollateralBundle = {
  readonly dcap: readonly DcapEntry[];
  readonly vceks: readonly VcekEntry[];
  readonly snpAuthorities: readonly SnpAuthorityEntry[];
};
/** A set of DCAP endorsements and the platform it stands for. */
export type DcapEntry = { readonly key: DcapPlatformKey; readonly collateral: DcapCollateral };
/** A VCEK, DER, with its chip and level. */
export type VcekEntry = { readonly key: SnpPlatformKey; readonly certificate: Uint8Array };
/** What stands above the VCEKs or VLEKs of a product. */
export type SnpAuthorityEntry = {
  readonly key: SnpAuthorityKey;
  readonly authority: SnpAuthority;
};

/** A bundle that holds nothing. */
export const EMPTY_BUNDLE: CollateralBundle = { dcap: [], vceks: [], snpAuthorities: [] };

/** Both; where a key stands in both, the later one's. Sorted by key, so that equal contents are equal files. */
export const mergeBundles = (
  earlier: CollateralBundle,
  later: CollateralBundle,
): CollateralBundle => ({
  dcap: merged(earlier.dcap, later.dcap, nameOfDcap),
  vceks: merged(earlier.vceks, later.vceks, chipKey),
  snpAuthorities: merged(earlier.snpAuthorities, later.snpAuthorities, nameOfAuthority),
});

/** A source that gives what the bundle holds and nothing else. @param place  of the file, for messages */
export function bundleSource(bundle: CollateralBundle, place: string): CollateralSource {
  const dcap = byKey(bundle.dcap, nameOfDcap);
  const vceks = byKey(bundle.vceks, chipKey);
  const snpAuthorities = byKey(bundle.snpAuthorities, nameOfAuthority);
  return {
    dcap: async (key) => {
      const name = nameOfDcap(key);
      return found(dcap.get(name), `collateral of ${name}`, place).collateral;
    },
    vcek: async (key) => {
      const what = `VCEK of ${nameOfChip(key)}`;
      return found(vceks.get(chipKey(key)), what, place).certificate;
    },
    snpAuthority: async (key) => {
      const name = nameOfAuthority(key);
      return found(snpAuthorities.get(name), name, place).authority;
    },
  };
}

/** One text for each chip and level. */
export function chipKey({ product, chipId, reportedTcb }: SnpPlatformKey): string {
  const { fmc = "", bootloader, tee, snp, microcode } = reportedTcb;
  return [product, toHex(chipId), fmc, bootloader, tee, snp, microcode].join(" ");
}

type Entry<Key> = { readonly key: Key };

const byKey = <Key, E extends Entry<Key>>(
  entries: readonly E[],
  nameOf: (key: Key) => string,
): ReadonlyMap<string, E> => new Map(entries.map((entry) => [nameOf(entry.key), entry]));

const merged = <Key, E extends Entry<Key>>(
  earlier: readonly E[],
  later: readonly E[],
  nameOf: (key: Key) => string,
): readonly E[] =>
  [...byKey([...earlier, ...later], nameOf)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, e]) => e);

function found<E>(entry: E | undefined, what: string, place: string): E {
  if (entry !== undefined) return entry;
  const message = `${what}: not in ${place}; where there is a network, fetch it into the file with \`fedclave attest fetch\``;
  throw new CollateralError("not-in-bundle", message);
}
