/** Everything in DER that vendors signed in the shared test data, with the key that signed it. */
import type { KeyObject } from "node:crypto";
import { findPemBlocks } from "../encoding/pem.ts";
import { parseCertificate } from "../endorsements/certificate.ts";
import { parseCrl } from "../endorsements/crl.ts";
import {
  readPublicKey,
  type Signed,
  verifySignature,
} from "../endorsements/signature-algorithm.ts";
import { EvidenceError } from "../evidence-error.ts";
import type { Damaged } from "./damage.ts";
import { readTestdata, readTestdataText } from "./testdata.ts";

export type RealObject = {
  readonly what: string;
  readonly der: Uint8Array;
  readonly read: (der: Uint8Array) => Signed;
  readonly issuerKey: KeyObject;
};

/** Certificates of a chain, each under the next, the last under itself. */
const chain = (what: string, ders: readonly Uint8Array[]): readonly RealObject[] =>
  ders.map((der, index) => ({
    what: `${what}, certificate ${index + 1}`,
    der,
    read: parseCertificate,
    issuerKey: keyOf(ders[index + 1] ?? der),
  }));

const keyOf = (der: Uint8Array): KeyObject => readPublicKey(parseCertificate(der).publicKeyDer);

const pem = (file: Uint8Array | string): readonly Uint8Array[] =>
  findPemBlocks(file).map(({ der }) => der);

/** Intel's root, AMD's chains, and the chain of one quote. */
export const realCertificates = (): readonly RealObject[] => [
  ...chain("Intel's root", [readTestdata("collateral/intel-sgx-root-ca.der")]),
  ...chain("VCEK of Milan", [
    readTestdata("snp/milan-v2-virtee-vcek.der"),
    ...pem(readTestdata("snp/milan-ask-ark.pem")),
  ]),
  ...chain("VLEK of Milan", [
    readTestdata("snp/milan-v3-vlek-trustee-vlek.der"),
    ...pem(readTestdata("snp/milan-asvk-ark.pem")),
  ]),
  ...chain("VCEK of Turin", [
    readTestdata("snp/turin-vcek.der"),
    ...pem(readTestdata("snp/turin-ask-ark.pem")),
  ]),
  ...chain("PCK of a quote", pem(readTestdata("sgx/v3-phala-00a067110000.bin").subarray(1052, -1))),
];

/** Sets with every signer and list there is, but for older lists of the platform CA that differ in dates and entries. */
export const DISTINCT_SETS = [
  "sgx-00906ed50000-2025-05",
  "tdx-50806f000000-2023-06",
  "tdx-90c06f000000-2026-02",
] as const;

/** Signer and revocation lists of a set of collateral. @param name  "tdx-90c06f000000-2026-02" */
export function realCollateral(name: string): readonly RealObject[] {
  const set: Readonly<Record<string, string>> = JSON.parse(
    readTestdataText(`collateral/${name}.json`),
  );
  const text = (field: string): string => set[field] ?? "";
  const [ca, root] = pem(text("pck_crl_issuer_chain"));
  if (ca === undefined || root === undefined) throw new Error(`${name} lacks a chain`);
  const list = (field: string, issuer: Uint8Array): RealObject => ({
    what: `${name}, ${field}`,
    der: new Uint8Array(Buffer.from(text(field), "hex")),
    read: parseCrl,
    issuerKey: keyOf(issuer),
  });
  return [
    ...chain(`${name}, TCB signing`, pem(text("tcb_info_issuer_chain"))).slice(0, 1),
    list("root_ca_crl", root),
    list("pck_crl", ca),
  ];
}

/** Whether anybody could take these bytes for what the issuer signed. */
export function passes({ read, issuerKey }: RealObject, bytes: Uint8Array): boolean {
  try {
    return verifySignature(read(bytes), issuerKey);
  } catch (error) {
    if (error instanceof EvidenceError) return false;
    throw error;
  }
}

/** Where damage went unnoticed. */
export function unnoticed(object: RealObject, damage: Iterable<Damaged>): readonly number[] {
  const offsets: number[] = [];
  for (const { bytes, offset } of damage) if (passes(object, bytes)) offsets.push(offset);
  return offsets;
}
