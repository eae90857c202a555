/**
 * The CBOR inside the TCG DICE extension ("Interoperable RA-TLS" evidence formats, CCC Attestation):
 * 60000([quote, claims]), where claims is the encoding of a map { "pubkey-hash": hash-entry, ? "nonce": bytes }
 * and hash-entry that of [algorithm, hash] (RFC 9393 §2.9.1).
 */
import { type CborValue, parseCbor } from "../encoding/cbor.ts";
import { EvidenceError } from "../evidence-error.ts";

/** CBOR tag of a DCAP quote of SGX or TDX; 60001 and 60002 are local reports, which nobody else can verify. */
export const DCAP_QUOTE_TAG = 60000n;
/** Names of the claims that are understood. */
export const PUBLIC_KEY_HASH_CLAIM = "pubkey-hash";
/** Name of the claim that holds what a verifier gave for freshness. */
export const NONCE_CLAIM = "nonce";

/** A hash with the number of its algorithm (IANA named information registry). */
export type HashEntry = { readonly algorithm: bigint; readonly hash: Uint8Array };

/** Claims that the quote binds, read and not verified. */
export type RaTlsClaimSet = {
  /** Absent in certificates that bind no key: they are well-formed, and worthless. */
  readonly publicKeyHash?: HashEntry;
  /** What a verifier gave for freshness. */
  readonly nonce?: Uint8Array;
  /** Names of all others, in their order; bound by the quote, but not understood. */
  readonly otherNames: readonly string[];
};

/** Content of the TCG DICE extension. */
export type TaggedEvidence = {
  /** Not yet parsed. */
  readonly quote: Uint8Array;
  readonly claimsBytes: Uint8Array;
  readonly claims: RaTlsClaimSet;
};

/**
 * The evidence of a DICE extension, or undefined if its tag says that it is no quote.
 * @throws EvidenceError "malformed-cbor" | "malformed-ra-tls"
 */
export function parseTaggedEvidence(bytes: Uint8Array): TaggedEvidence | undefined {
  const tagged = parseCbor(bytes);
  if (tagged.kind !== "tag") throw malformed("the evidence has no tag");
  if (tagged.tag !== DCAP_QUOTE_TAG) return undefined;
  const [quote, claims] = pairOf(tagged.content, "the evidence");
  const claimsBytes = bytesOf(claims, "the encoded claims");
  return {
    quote: bytesOf(quote, "the quote"),
    claimsBytes,
    claims: parseClaims(claimsBytes),
  };
}

function parseClaims(bytes: Uint8Array): RaTlsClaimSet {
  const claims = parseCbor(bytes);
  if (claims.kind !== "map") throw malformed("the claims are no map");
  const hash = claims.entries.get(PUBLIC_KEY_HASH_CLAIM);
  const nonce = claims.entries.get(NONCE_CLAIM);
  return {
    ...(hash === undefined ? {} : { publicKeyHash: parseHashEntry(hash) }),
    ...(nonce === undefined ? {} : { nonce: bytesOf(nonce, "the nonce") }),
    otherNames: [...claims.entries.keys()].filter(
      (name) => name !== PUBLIC_KEY_HASH_CLAIM && name !== NONCE_CLAIM,
    ),
  };
}

function parseHashEntry(claim: CborValue): HashEntry {
  const what = "the hash of the public key";
  const [algorithm, hash] = pairOf(parseCbor(bytesOf(claim, what)), what);
  if (algorithm.kind !== "integer") throw malformed(`${what} has no algorithm`);
  return { algorithm: algorithm.value, hash: bytesOf(hash, what) };
}

function pairOf(value: CborValue, what: string): readonly [CborValue, CborValue] {
  const [first, second, ...rest] = value.kind === "array" ? value.items : [];
  if (first === undefined || second === undefined || rest.length > 0) {
    throw malformed(`${what} is no array of two`);
  }
  return [first, second];
}

function bytesOf(value: CborValue, what: string): Uint8Array {
  if (value.kind !== "bytes") throw malformed(`${what} is no byte string`);
  return value.bytes;
}

const malformed = (why: string): EvidenceError =>
  new EvidenceError("malformed-ra-tls", `RA-TLS evidence: ${why}`);
