/** Branded identifiers: a plain string cannot stand in for one, and each is checked where it is made. */
import { fromHex, sha256, toBase32, toHex } from "./bytes.ts";
import type { Randomness } from "./randomness.ts";

/** SHA-256, lower-case hex, 64 characters; 32 raw bytes on the wire. */
export type Digest = string & { readonly brand: "Digest" };
/** 26 characters of lower-case base32: 128 random bits. */
export type SessionId = string & { readonly brand: "SessionId" };
/** 52 characters of lower-case base32: the SHA-256 of the federation's genesis. */
export type FederationId = string & { readonly brand: "FederationId" };
/** Name of a member, combiner, organization, session, model or package: [a-z0-9-]{1,63}. */
export type Name = string & { readonly brand: "Name" };
/** Milliseconds since the Unix epoch, UTC. */
export type UnixMs = number & { readonly brand: "UnixMs" };

/** Who a process is within a federation. */
export const ROLES = ["reducer", "combiner", "client", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** Whether the text names one of the four roles. */
export const isRole = (text: string): text is Role => (ROLES as readonly string[]).includes(text);

/** The name, or undefined if the text is not [a-z0-9-]{1,63}. */
export const parseName = (text: string): Name | undefined =>
  /^[a-z0-9-]{1,63}$/.test(text) ? (text as Name) : undefined;

/** The session id, or undefined if the text is not 26 base32 characters encoding exactly 128 bits. */
export const parseSessionId = (text: string): SessionId | undefined =>
  /^[a-z2-7]{25}[aeimquy4]$/.test(text) ? (text as SessionId) : undefined;

/** The digest, or undefined if the text is not 64 lower-case hex characters. */
export const parseDigest = (text: string): Digest | undefined =>
  text.length === 64 && fromHex(text) !== undefined ? (text as Digest) : undefined;

/** A digest from its 32 wire bytes; undefined for any other length. */
export const digestFromBytes = (bytes: Uint8Array): Digest | undefined =>
  bytes.byteLength === 32 ? (toHex(bytes) as Digest) : undefined;

/** The 32 wire bytes of a digest. */
export const digestBytes = (digest: Digest): Uint8Array =>
  new Uint8Array(Buffer.from(digest, "hex"));

/** SHA-256 of the concatenation of the parts. */
export const digestOf = (...parts: readonly Uint8Array[]): Digest =>
  toHex(sha256(...parts)) as Digest;

/** 128 fresh random bits. */
export const newSessionId = (randomness: Randomness): SessionId =>
  toBase32(randomness.bytes(16)) as SessionId;
