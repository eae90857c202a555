/** The whole way: a certificate written in a simulated TEE, read and verified outside of it. */
import { generateKeyPairSync } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import type { UnixMs } from "../../../base/ids.ts";
import { systemRandomness } from "../../../base/randomness.ts";
import { writeRaTlsCertificate } from "../../attester/ra-tls-writer.ts";
import type { PlatformChoice } from "../../attester/simulated/platform-settings.ts";
import {
  createDevelopmentRoot,
  type DevelopmentRoot,
} from "../../attester/simulated/root/development-root.ts";
import { simulatedTee } from "../../attester/simulated/simulated-attester.ts";
import { parseRaTlsCertificate } from "../../evidence/ra-tls-certificate.ts";
import { INTEL_ROOT } from "../../trust-anchors/intel.ts";
import { verifyQuoteWith } from "../verify-quote.ts";
import { verifyRaTls } from "../verify-ra-tls.ts";

const NOW_MS = Date.UTC(2026, 5, 1) as UnixMs;
const NONCE = Uint8Array.from({ length: 32 }, (_, index) => index);
const privateKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;

describe.each<[string, PlatformChoice & { tee: "sgx" | "tdx" }]>([
  ["an SGX quote of version 3", { tee: "sgx", quoteVersion: 3 }],
  ["an SGX quote of version 4", { tee: "sgx", quoteVersion: 4 }],
  ["a TDX quote of version 4", { tee: "tdx", quoteVersion: 4 }],
  ["a TDX 1.5 quote of version 5", { tee: "tdx", quoteVersion: 5, tdReport: "1.5" }],
])("a certificate over %s", (_what, platform) => {
  let root: DevelopmentRoot;
  beforeAll(() => {
    root = createDevelopmentRoot({ randomness: systemRandomness, nowMs: NOW_MS });
  });

  test("is genuine under its own root, and only there", async () => {
    const tee = simulatedTee({ root, platform });
    const attester = tee.attester({ tee: platform.tee });
    const der = await writeRaTlsCertificate({ attester, privateKey, nonce: NONCE });
    const given = await tee.endorsements(NOW_MS);
    const collateral = given.kind === "dcap" ? given.collateral : undefined;
    const under = (anchor: Uint8Array) =>
      verifyRaTls(parseRaTlsCertificate(der), NONCE, (quote) =>
        verifyQuoteWith(quote, collateral, [anchor], NOW_MS),
      );
    const own = under(given.anchor);
    expect(own.checks.filter(({ refusal }) => refusal !== undefined)).toEqual([]);
    expect(own.claims).toMatchObject({ attested: { tee: platform.tee }, nonce: NONCE });
    expect(under(INTEL_ROOT).claims).toBeUndefined();
  });
});
