/** Certification data that names the platform instead of certifying it: types 1 to 3 of a quote. */
import { equalBytes, toHex } from "../../base/bytes.ts";
import type { PckPlatform } from "../endorsements/sgx-extension.ts";
import type { Certification } from "../evidence/quote.ts";
import type { Checklist } from "./checklist.ts";

/** Size of the PPID by type: plain, or encrypted for Intel under RSA-2048 or RSA-3072. */
const PPID_BYTES: Readonly<Record<number, number>> = { 1: 16, 2: 256, 3: 384 };
const PPID_IN_PLAIN = 1;

/**
 * Notes whether what a quote says of its platform is what the PCK certificate says: PPID, CPUSVN, PCESVN and, where it
 * is given, PCEID (Intel SGX ECDSA quote library API, "QE certification data"). Nobody signs these bytes, so they may
 * not vary; an encrypted PPID alone cannot be compared, and nothing rests on it.
 */
export function checkCertificationData(
  checklist: Checklist,
  { type, data }: Certification,
  platform: PckPlatform,
): void {
  const ppidBytes = PPID_BYTES[type] ?? 0;
  const ppid = data.subarray(0, ppidBytes);
  const rest = data.subarray(ppidBytes);
  const wanted = versionsOf(platform);
  const isSamePlatform = type !== PPID_IN_PLAIN || equalBytes(ppid, platform.ppid);
  const isSameVersion =
    equalBytes(rest, wanted) || equalBytes(rest, wanted.subarray(0, -platform.pceId.byteLength));
  checklist.note(
    isSamePlatform && isSameVersion,
    "pck-differs-from-quote",
    "quote: names the platform of its PCK certificate",
    () => toHex(type === PPID_IN_PLAIN ? data : rest),
    () => toHex(type === PPID_IN_PLAIN ? Buffer.concat([platform.ppid, wanted]) : wanted),
  );
}

/** CPUSVN, PCESVN in little-endian, PCEID. */
const versionsOf = ({ cpuSvn, pceSvn, pceId }: PckPlatform): Uint8Array =>
  Uint8Array.of(...cpuSvn, pceSvn & 0xff, pceSvn >> 8, ...pceId);
