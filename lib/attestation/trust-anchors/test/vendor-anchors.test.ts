import { expect, test } from "vitest";
import { readCertificate } from "../../../base/certificate.ts";
import { digestOf } from "../../../base/ids.ts";
import { INTEL_ROOT } from "../intel.ts";
import { VENDOR_ANCHORS, vendorAnchorOf } from "../vendor-anchors.ts";

test("the root for SGX and TDX is the certificate that Intel publishes", () => {
  const root = readCertificate(INTEL_ROOT);
  expect(digestOf(INTEL_ROOT)).toBe(
    "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3",
  );
  expect(root.subject).toContain("CN=Intel SGX Root CA");
  expect(root.verify(root.publicKey)).toBe(true);
});

test("a root is a vendor's only byte for byte", () => {
  for (const anchor of VENDOR_ANCHORS) {
    const changed = anchor.der.map((byte, index) => (index === 100 ? byte ^ 1 : byte));
    expect(vendorAnchorOf(anchor.der)).toBe(anchor);
    expect(vendorAnchorOf(changed)).toBeUndefined();
  }
  expect(new Set(VENDOR_ANCHORS.map((each) => each.name)).size).toBe(4);
});
