/** Endorsements that could not be had. Every message names the object, its date where it has one, and what to do. */
import type { UnixMs } from "../../base/ids.ts";
import { CodedError } from "../../base/refusal.ts";

/** Closed; each has a row in docs/errors.md. */
export type CollateralErrorCode =
  /** The configured address is none we can ask. */
  | "bad-address"
  /** No answer, or a server that is in trouble; asked again already. */
  | "unreachable"
  /** TLS: not a server that the configured certificates vouch for. */
  | "untrusted-server"
  /** Asked too often; `retryAtMs` says when to come back. */
  | "rate-limited"
  /** The vendor or cache knows no such platform. */
  | "unknown-platform"
  /** The server does not serve this object, or no longer. */
  | "not-served"
  /** An answer that is not what was asked for, or does not verify. */
  | "bad-response"
  /** The bundle file does not hold this platform. */
  | "not-in-bundle"
  /** What is held has ended and there is nothing newer. */
  | "stale"
  /** Older than what was already seen: somebody offers the past. */
  | "rolled-back"
  /** The cache's memory of what it has seen cannot be read, or not be written. */
  | "cache-unusable";

/** Thrown by sources of endorsements, and by caches of them. */
export class CollateralError extends CodedError<CollateralErrorCode> {
  /** Asking before this instant is useless. */
  readonly retryAtMs: UnixMs | undefined;

  constructor(
    code: CollateralErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly retryAtMs?: UnixMs } = {},
  ) {
    super(code, message, options);
    this.retryAtMs = options.retryAtMs;
  }
}
