/** The bundle as bytes: canonical JSON of kind "fedclave/collateral" (docs/wire-formats.md). */
import { toBase64 } from "../../base/base64.ts";
import { toHex, utf8 } from "../../base/bytes.ts";
import {
  CanonicalJsonError,
  canonicalJson,
  parseCanonicalJson,
} from "../../base/canonical-json.ts";
import { JsonValue } from "../encoding/json-fields.ts";
import type { DcapCollateral } from "../endorsements/dcap-collateral.ts";
import { EvidenceError } from "../evidence-error.ts";
import { type CollateralBundle, EMPTY_BUNDLE, mergeBundles } from "./bundle.ts";
import { readDcapEntry, readSnpAuthorityEntry, readVcekEntry } from "./bundle-entries.ts";
import { parseQuoteCollateral } from "./quote-collateral.ts";

const KIND = "fedclave/collateral";
const VERSION = 1;
/** Some hundred platforms. */
export const MAX_BUNDLE_BYTES = 32 * 1024 * 1024;
const MAX_ENTRIES = 10_000;

/** The file for a bundle. */
export function writeBundle(bundle: CollateralBundle): Uint8Array {
  const { dcap, vceks, snpAuthorities } = mergeBundles(EMPTY_BUNDLE, bundle);
  const file = {
    kind: KIND,
    version: VERSION,
    dcap: dcap.map(({ key, collateral }) => ({ ...key, ...writeCollateral(collateral) })),
    vceks: vceks.map(({ key, certificate }) => ({
      ...key,
      chipId: toHex(key.chipId),
      certificate: toBase64(certificate),
    })),
    snpAuthorities: snpAuthorities.map(({ key, authority: { chain, crl } }) => ({
      ...key,
      chain: chain.map(toBase64),
      crl: crl && toBase64(crl),
    })),
  };
  return utf8(canonicalJson(file));
}

/**
 * Reads what writeBundle writes, and nothing else.
 * @throws EvidenceError "malformed-collateral" | "too-large"
 */
export function parseBundle(bytes: Uint8Array): CollateralBundle {
  const root = parseRoot(bytes);
  const head = root.openObject(["kind", "version"]);
  head.get("kind").oneOf([KIND]);
  if (head.get("version").integer(1, 2 ** 31) !== VERSION) {
    throw root.error(`of a newer version than ${VERSION}: upgrade`);
  }
  const { get } = root.strictObject(["kind", "version", "dcap", "vceks", "snpAuthorities"]);
  const bundle: CollateralBundle = {
    dcap: get("dcap").array(0, MAX_ENTRIES).map(readDcapEntry),
    vceks: get("vceks").array(0, MAX_ENTRIES).map(readVcekEntry),
    snpAuthorities: get("snpAuthorities").array(0, MAX_ENTRIES).map(readSnpAuthorityEntry),
  };
  // One file per contents: entries in order, none twice.
  if (Buffer.compare(writeBundle(bundle), bytes) === 0) return bundle;
  throw root.error("entries that are out of order or stand twice");
}

/** A file that people hand us: a bundle of ours, or one set in the layout that other tools have. */
export type CollateralFile =
  | { readonly kind: "bundle"; readonly bundle: CollateralBundle }
  | { readonly kind: "set"; readonly collateral: DcapCollateral };

/** @throws EvidenceError "malformed-collateral" | "too-large" */
export function readCollateralFile(bytes: Uint8Array): CollateralFile {
  const text = decode(bytes);
  // Canonical JSON of ours has its keys in order: "dcap" comes first.
  return text.startsWith('{"dcap":')
    ? { kind: "bundle", bundle: parseBundle(bytes) }
    : { kind: "set", collateral: parseQuoteCollateral(text) };
}

function parseRoot(bytes: Uint8Array): JsonValue {
  try {
    return new JsonValue(parseCanonicalJson(decode(bytes)), "malformed-collateral", "$");
  } catch (cause) {
    if (!(cause instanceof CanonicalJsonError)) throw cause;
    throw new EvidenceError("malformed-collateral", `no bundle file: ${cause.message}`, { cause });
  }
}

function decode(bytes: Uint8Array): string {
  if (bytes.byteLength > MAX_BUNDLE_BYTES) {
    throw new EvidenceError("too-large", `a collateral file of ${bytes.byteLength} bytes`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new EvidenceError("malformed-collateral", "a collateral file is UTF-8", { cause });
  }
}

const writeCollateral = (set: DcapCollateral) => ({
  ...set,
  rootCaCrl: toBase64(set.rootCaCrl),
  pckCrl: toBase64(set.pckCrl),
  tcbInfoSignature: toBase64(set.tcbInfoSignature),
  qeIdentitySignature: toBase64(set.qeIdentitySignature),
});
