import { equalBytes } from "../../base/bytes.ts";
import { AMD_ROOTS } from "./amd.ts";
import { INTEL_ROOT } from "./intel.ts";

/** A root certificate of a vendor, and the name by which authors and reports call it. */
export type VendorAnchor = {
  readonly name: "intel" | "amd-milan" | "amd-genoa" | "amd-turin";
  readonly vendor: "intel" | "amd";
  readonly der: Uint8Array;
};

/** Every root behind which hardware stands; whatever else evidence is verified under is a development root. */
export const VENDOR_ANCHORS: readonly VendorAnchor[] = [
  { name: "intel", vendor: "intel", der: INTEL_ROOT },
  { name: "amd-milan", vendor: "amd", der: AMD_ROOTS.Milan },
  { name: "amd-genoa", vendor: "amd", der: AMD_ROOTS.Genoa },
  { name: "amd-turin", vendor: "amd", der: AMD_ROOTS.Turin },
];

/** The vendor's root that this is, byte for byte. */
export const vendorAnchorOf = (der: Uint8Array): VendorAnchor | undefined =>
  VENDOR_ANCHORS.find((each) => equalBytes(each.der, der));
