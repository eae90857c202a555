/**
 * The table of certificates that an SNP host gives its guests (AMD 56421, GHCB standardization, §4.1.8.1): entries of
 * 24 bytes {GUID, offset u32, length u32, little-endian}, an entry of zeros, then the certificates. Written by the host
 * and not signed: hostile until the chain is verified.
 */
import { toHex } from "../../base/bytes.ts";
import type { SnpSigningKey } from "../evidence/snp-report.ts";
import { AttesterError } from "./attester.ts";

const ENTRY_BYTES = 24;
const GUID_BYTES = 16;
/** More than the host has kinds of certificates. */
const MAX_ENTRIES = 16;

/** GUIDs as their bytes stand in the table, which is the order of their text. */
const GUIDS = {
  vcek: "63da758de6644564adc5f4b93be8accd",
  vlek: "a8074bc2a25a483eaae639c045a0b8a1",
  /** ASK, or under a VLEK the ASVK. */
  ask: "4ab7b379bbac4fe4a02f05aef327c782",
  ark: "c0b406a4a803495297433fb6014cd0ae",
} as const;

/** Certificates of a table, DER; other entries are passed over. */
export type CertificateTable = Partial<Record<keyof typeof GUIDS, Uint8Array>>;

/**
 * Reads a table.
 * @param bytes  empty if the host gives none
 * @throws AttesterError "no-evidence" if it is cut, points outside itself, or names a certificate twice
 */
export function parseCertificateTable(bytes: Uint8Array): CertificateTable {
  const table: { -readonly [Name in keyof CertificateTable]: Uint8Array } = {};
  const entries = entriesOf(bytes);
  for (const { guid, offset, length } of entries) {
    const startsEarly = offset < (entries.length + 1) * ENTRY_BYTES;
    if (startsEarly || offset + length > bytes.byteLength || length === 0) {
      throw malformed(`an entry points to ${length} bytes at ${offset}`);
    }
    const name = nameOf(guid);
    if (name === undefined) continue;
    if (table[name] !== undefined) throw malformed(`two entries for the ${name.toUpperCase()}`);
    table[name] = bytes.slice(offset, offset + length);
  }
  return table;
}

/**
 * The certificates for one report in the order of Evidence: leaf, then ASK or ASVK, then ARK, as far as they are there.
 * A chain without its leaf is of no use and left out.
 */
export function certificatesFor(
  signingKey: SnpSigningKey,
  { vcek, vlek, ask, ark }: CertificateTable,
): readonly Uint8Array[] {
  const leaf = signingKey === "vlek" ? vlek : signingKey === "vcek" ? vcek : undefined;
  if (leaf === undefined) return [];
  if (ask === undefined) return [leaf];
  return ark === undefined ? [leaf, ask] : [leaf, ask, ark];
}

type Entry = { readonly guid: string; readonly offset: number; readonly length: number };

function entriesOf(bytes: Uint8Array): readonly Entry[] {
  if (bytes.byteLength === 0) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: Entry[] = [];
  for (let at = 0; at + ENTRY_BYTES <= bytes.byteLength; at += ENTRY_BYTES) {
    const raw = bytes.subarray(at, at + ENTRY_BYTES);
    if (raw.every((byte) => byte === 0)) return entries;
    if (entries.length === MAX_ENTRIES) throw malformed(`more than ${MAX_ENTRIES} entries`);
    entries.push({
      guid: toHex(raw.subarray(0, GUID_BYTES)),
      offset: view.getUint32(at + GUID_BYTES, true),
      length: view.getUint32(at + GUID_BYTES + 4, true),
    });
  }
  throw malformed("the entry of zeros at its end is missing");
}

function nameOf(guid: string): keyof typeof GUIDS | undefined {
  const names = Object.keys(GUIDS) as (keyof typeof GUIDS)[];
  return names.find((name) => GUIDS[name] === guid);
}

const malformed = (what: string): AttesterError =>
  new AttesterError(
    "no-evidence",
    `the host's certificate table is malformed (${what}); correct it on the host, or let it give none`,
  );
