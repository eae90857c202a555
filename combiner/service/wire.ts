/** Parts that many messages share, read strictly: whatever is missing or malformed is refused, never defaulted. */
import {
  type Digest,
  digestFromBytes,
  type Name,
  parseName,
  parseSessionId,
} from "../../lib/base/ids.ts";
import { type Refusal, RefusedError, refusal } from "../../lib/base/refusal.ts";
import type { fedclave } from "../../proto/generated/fedclave.js";
import type { RoundKey } from "../core/round.ts";

/** Reasons that are read from one message; more say nothing further. */
export const MAX_REASONS = 16;
const CODE = /^[a-z0-9-]{1,63}$/;

/** @throws RefusedError "malformed-round-key" */
export function needRoundKey(
  message: fedclave.v1.RoundKey.$Properties | null | undefined,
): RoundKey {
  const { sessionId: text = "", round = 0, attempt = 0 } = message ?? {};
  const sessionId = parseSessionId(text);
  if (sessionId === undefined || round < 1 || attempt < 1) {
    const wanted = "a session id, round and attempt from 1";
    throw refused("malformed-round-key", `${text}/${round}/${attempt}`, wanted);
  }
  return { sessionId, round, attempt };
}

/** @throws RefusedError "malformed-name" */
export function needName(text: string | null | undefined): Name {
  const name = parseName(text ?? "");
  if (name === undefined) throw refused("malformed-name", text ?? "", "[a-z0-9-]{1,63}");
  return name;
}

/** @throws RefusedError "malformed-digest" */
export function needDigest(bytes: Uint8Array | null | undefined): Digest {
  const digest = digestFromBytes(bytes ?? new Uint8Array());
  if (digest === undefined) {
    throw refused("malformed-digest", `${bytes?.byteLength ?? 0} bytes`, "32 bytes");
  }
  return digest;
}

/** An integer of a range; 64-bit fields that float64 cannot hold are outside of all. @throws RefusedError "malformed-number" */
export function needInteger(value: number | null | undefined, low: number, high: number): number {
  const seen = value ?? 0;
  if (!Number.isSafeInteger(seen) || seen < low || seen > high) {
    throw refused("malformed-number", seen, `an integer from ${low} to ${high}`);
  }
  return seen;
}

/** @throws RefusedError "unknown-version" */
export function needVersion(version: number | null | undefined): void {
  if (version !== 1) throw refused("unknown-version", version ?? 0, 1);
}

/** Reasons from a peer, bounded. */
export const readRefusals = (
  messages: readonly fedclave.v1.Refusal.$Properties[] | null | undefined,
): readonly Refusal[] =>
  (messages ?? [])
    .slice(0, MAX_REASONS)
    .map(({ code = "", seen = "", wanted = "" }) =>
      refusal(CODE.test(code) ? code : "unnamed", seen, wanted),
    );

export const refused = (
  code: string,
  seen: string | number,
  wanted: string | number,
): RefusedError => new RefusedError(refusal(code, seen, wanted));
