/** Which SNP endorsements a cache takes: those that verify and are for the chip asked for. */
import { equalBytes, toHex } from "../../base/bytes.ts";
import { digestOf, type UnixMs } from "../../base/ids.ts";
import { type Refusal, refusal } from "../../base/refusal.ts";
import { type Certificate, parseCertificate } from "../endorsements/certificate.ts";
import { type Crl, parseCrl } from "../endorsements/crl.ts";
import { readTcb } from "../evidence/snp-tcb.ts";
import { EvidenceError } from "../evidence-error.ts";
import { checkChain } from "../verification/chains/certificate-chain.ts";
import { snpChain } from "../verification/chains/certificate-profile.ts";
import { checkCrl, checkNotRevoked } from "../verification/chains/check-revocation.ts";
import { Checklist } from "../verification/checklist.ts";
import { verifySnpEndorsements } from "../verification/verify-snp-endorsements.ts";
import { CollateralError } from "./collateral-error.ts";
import {
  nameOfAuthority,
  nameOfChip,
  type SnpAuthority,
  type SnpAuthorityKey,
  type SnpPlatformKey,
} from "./collateral-source.ts";
import type { Kept } from "./kept-object.ts";
import { refusedEndorsements } from "./refused-endorsements.ts";

/** A chain with its revocation list, and the list's number. */
export type AdmittedAuthority = {
  readonly authority: SnpAuthority;
  /** Whose list it is; lists under one name have rising numbers. */
  readonly listName: string;
  /** Absent without a list. */
  readonly crlNumber?: bigint;
};

/**
 * The chain with its end, if it may be kept for that product. Whether its list is older than what was seen is asked
 * elsewhere.
 * @param anchors  ARKs that are trusted, DER; another certificate of the same key is one too
 * @throws CollateralError "bad-response" | "stale"
 */
export function admitAuthority(
  key: SnpAuthorityKey,
  authority: SnpAuthority,
  anchors: readonly Uint8Array[],
  nowMs: UnixMs,
): Kept<AdmittedAuthority> {
  const what = nameOfAuthority(key);
  const { ask, ark, crl } = readAuthority(what, authority);
  const [, askProfile, arkProfile] = snpChain(key.product, key.signingKey);
  const checklist = new Checklist();
  checklist.note(
    anchors.some((anchor) => equalBytes(parseCertificate(anchor).publicKeyDer, ark.publicKeyDer)),
    "root-not-trusted",
    "ARK: a root that is trusted",
    ark.commonName ?? "a root without a name",
    `one of ${anchors.length} trusted roots`,
  );
  if (askProfile !== undefined && arkProfile !== undefined) {
    checkChain(checklist, [ask, ark], [askProfile, arkProfile], nowMs);
    if (crl !== undefined) {
      checkCrl(checklist, crl, "ark-crl", "ARK CRL", ark, arkProfile, nowMs);
      checkNotRevoked(checklist, ask, askProfile, crl);
      checkNotRevoked(checklist, ark, arkProfile, crl);
    }
  }
  if (checklist.refusals.length > 0) throw refusedEndorsements(what, checklist.refusals);
  const ends = firstToEnd([
    { what: `ASK of the ${what}`, atMs: ask.notAfterMs },
    { what: `ARK of the ${what}`, atMs: ark.notAfterMs },
    ...(crl ? [{ what: `revocation list of the ${what}`, atMs: crl.nextUpdateMs }] : []),
  ]);
  const listName = `${digestOf(ark.publicKeyDer)}/ark-crl/${key.signingKey}`;
  return { value: { authority, listName, ...(crl && { crlNumber: crl.crlNumber }) }, ends };
}

/**
 * The last moment at which all parts count, as they say themselves: unverified.
 * @throws CollateralError "bad-response"
 */
export function unverifiedEndOfAuthority(key: SnpAuthorityKey, authority: SnpAuthority): UnixMs {
  const { ask, ark, crl } = readAuthority(nameOfAuthority(key), authority);
  const endsMs = [ask.notAfterMs, ark.notAfterMs, ...(crl ? [crl.nextUpdateMs] : [])];
  return Math.min(...endsMs) as UnixMs;
}

/**
 * The certificate with its end, if it may be kept for that chip and level.
 * @param authority  already taken
 * @throws CollateralError "bad-response" | "stale"
 */
export function admitVcek(
  key: SnpPlatformKey,
  leaf: Uint8Array,
  authority: SnpAuthority,
  anchors: readonly Uint8Array[],
  nowMs: UnixMs,
): Kept<Uint8Array> {
  const what = `VCEK of ${nameOfChip(key)}`;
  const { checks, endorsements } = verifySnpEndorsements({ leaf, ...authority }, anchors, nowMs);
  const refusals = checks.flatMap(({ refusal: each }) => (each === undefined ? [] : [each]));
  if (endorsements === undefined) throw refusedEndorsements(what, refusals);
  const { signer } = endorsements;
  const mistaken = mistakenFor(key, signer.tcb, signer.hardwareId);
  if (mistaken.length > 0) throw refusedEndorsements(what, mistaken);
  return { value: leaf, ends: { what, atMs: endorsements.leaf.notAfterMs } };
}

type Ending = Kept<unknown>["ends"];

const firstToEnd = (endings: readonly [Ending, ...Ending[]]): Ending =>
  endings.reduce((first, each) => (each.atMs < first.atMs ? each : first));

function readAuthority(
  what: string,
  { chain, crl }: SnpAuthority,
): { readonly ask: Certificate; readonly ark: Certificate; readonly crl?: Crl } {
  try {
    const [ask, ark, ...others] = chain.map(parseCertificate);
    if (ask === undefined || ark === undefined || others.length > 0) {
      throw new EvidenceError("malformed-certificate", "not a chain of two");
    }
    return { ask, ark, ...(crl && { crl: parseCrl(crl) }) };
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    throw new CollateralError("bad-response", `${what}: ${cause.message}`, { cause });
  }
}

/** In what the certificate is not that of the chip and level that were asked for. */
function mistakenFor(
  { product, chipId, reportedTcb }: SnpPlatformKey,
  tcb: Uint8Array,
  hardwareId: Uint8Array | undefined,
): readonly Refusal[] {
  const wantedId = toHex(chipId.subarray(0, hardwareId?.byteLength ?? 0));
  const seenId = toHex(hardwareId ?? new Uint8Array());
  const seenTcb = JSON.stringify(readTcb(tcb, product), SNP_LEVELS);
  const wantedTcb = JSON.stringify(reportedTcb, SNP_LEVELS);
  return [
    ...(seenId === wantedId && seenId !== ""
      ? []
      : [refusal("snp-chip-id-mismatch", seenId, wantedId)]),
    ...(seenTcb === wantedTcb ? [] : [refusal("snp-tcb-mismatch", seenTcb, wantedTcb)]),
  ];
}

/** In one order, so that equal levels are equal texts. */
const SNP_LEVELS = ["fmc", "bootloader", "tee", "snp", "microcode"];
