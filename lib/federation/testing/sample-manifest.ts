/** A production manifest in which every kind of entry occurs. Its keys are fresh in each process. */
import {
  sgxIdentity,
  snpIdentity,
  tdxIdentity,
} from "../../attestation/appraisal/testing/claims-and-identities.ts";
import { VENDOR_ANCHORS } from "../../attestation/trust-anchors/vendor-anchors.ts";
import { toBase64 } from "../../base/base64.ts";
import type { Digest, Name } from "../../base/ids.ts";
import { generateSigningKey, type SigningKey } from "../../base/keys.ts";
import { testAuthority } from "../../provisioning/testing/test-authority.ts";
import type { Manifest, NamedKey } from "../manifest/manifest.ts";

export const name = (text: string): Name => text as Name;

/** Base64 of a vendor's root. */
export const anchor = (wanted: "intel" | "amd-milan" | "amd-turin"): string =>
  toBase64(VENDOR_ANCHORS.find((each) => each.name === wanted)!.der);

export const keys = {
  alice: generateSigningKey(),
  bob: generateSigningKey(),
  "hospital-a": generateSigningKey(),
  "hospital-b": generateSigningKey(),
  vendor: generateSigningKey(),
  university: generateSigningKey(),
} as const satisfies Record<string, SigningKey>;

export const namedKey = (who: keyof typeof keys): NamedKey => ({
  name: name(who),
  publicKey: toBase64(keys[who].publicKeyDer),
});

const { authority, key } = testAuthority(Date.UTC(2026, 0, 1));
/** Base64 of a root certificate that is no vendor's. */
export const developmentRoot = toBase64(authority.caCertificate);
/** Base64 of a certificate that is no authority's. */
export const leafCertificate = toBase64(
  authority.issueCertificate({
    role: "client",
    member: name("leaf"),
    publicKeyDer: keys.bob.publicKeyDer,
    untrustedNowMs: authority.nowMs,
  }).certificateChain[0],
);

const intel = { anchor: anchor("intel") };
const amd = { anchor: anchor("amd-turin") };

export const sampleManifest: Manifest = {
  name: name("oncology"),
  environment: "production",
  epoch: 3,
  previousDigest: "ab".repeat(32) as Digest,
  admins: { keys: [namedKey("alice"), namedKey("bob")], threshold: 2 },
  organizations: [
    { ...namedKey("hospital-a"), mayEnrol: ["client", "combiner"] },
    { ...namedKey("hospital-b"), mayEnrol: ["client"] },
  ],
  roles: {
    reducer: [
      {
        kind: "onprem",
        name: name("basement"),
        publicKey: toBase64(key.publicKeyDer),
      },
      { ...sgxIdentity, ...intel, name: "reducer-1" },
    ],
    combiner: [
      {
        ...sgxIdentity,
        ...intel,
        name: "combiner-1",
        measurement: { kind: "mrsigner", mrSigner: "51".repeat(32), isvProdId: 7, minIsvSvn: 3 },
      },
      { ...tdxIdentity, ...intel },
      { kind: "onprem", name: name("basement"), organizations: [name("hospital-a")] },
    ],
    client: [
      {
        kind: "onprem",
        name: name("hospitals"),
        organizations: [name("hospital-a"), name("hospital-b")],
      },
      { ...snpIdentity, ...amd, name: "client-snp" },
    ],
  },
  packages: { publishers: [namedKey("vendor"), namedKey("alice")] },
  release: {
    minOrganizations: 2,
    minClients: 5,
    weightCap: 4096,
    clientMetrics: [{ kind: "admins" }, { kind: "own-organization" }],
    models: [{ kind: "admins" }, { kind: "organization", name: name("hospital-a") }],
    privacy: {
      kind: "central-noise",
      minNoiseMultiplier: 1.1,
      maxClipNorm: 0.5,
      maxEpsilon: 8,
      maxDelta: 0.00001,
    },
  },
  witnesses: { keys: [namedKey("university"), namedKey("hospital-b")], quorum: 1 },
};

/** The same as its document: what inspectManifest reads, free to be deviated from. */
export const sampleDocument = (): Record<string, unknown> =>
  JSON.parse(JSON.stringify({ kind: "fedclave/manifest", version: 2, ...sampleManifest }));
