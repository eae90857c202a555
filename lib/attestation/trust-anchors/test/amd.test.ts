import { expect, test } from "vitest";
import { readCertificate } from "../../../base/certificate.ts";
import { digestOf } from "../../../base/ids.ts";
import { AMD_ROOTS } from "../amd.ts";

test.each([
  ["Milan", "69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd"],
  ["Genoa", "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1"],
  ["Turin", "1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a"],
] as const)("the root of %s is the certificate that AMD publishes", (product, digest) => {
  const root = readCertificate(AMD_ROOTS[product]);
  expect(digestOf(AMD_ROOTS[product])).toBe(digest);
  expect(root.subject).toContain(`CN=ARK-${product}`);
  expect(root.verify(root.publicKey)).toBe(true);
});
