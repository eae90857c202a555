/** Fields that messages of several rpcs share, read strictly: what is missing or malformed is refused, never defaulted. */
import type { fedclave } from "../../proto/generated/fedclave.js";
import { type Digest, digestFromBytes, type Name, parseName, parseSessionId } from "../base/ids.ts";
import { MAX_HYPERPARAMETERS, MAX_METRICS, MAX_REASONS } from "../base/limits.ts";
import { type Refusal, refusal, refused } from "../base/refusal.ts";
import type { RoundKey } from "../base/round-key.ts";

/** Of messages, of signed headers and of what is uploaded. */
export const WIRE_VERSION = 1;

/** kebab-case; after the dash of "setting-" and "aggregator-" the field as it is called. */
const CODE = /^[a-z][A-Za-z0-9-]{0,62}$/;
const METRIC_NAME = /^[a-z0-9_]{1,63}$/;
/** As packages name them (docs/wire-formats.md, "package manifest"). */
export const HYPERPARAMETER_NAME = /^[A-Za-z0-9][A-Za-z0-9_.]{0,63}$/;

type Field<T> = T | null | undefined;

/** A name and a finite number, each name once in its list. */
export type NamedNumber = { readonly name: string; readonly value: number };

/** The key, or undefined unless there is a session id and round and attempt count from 1. */
export function readRoundKey(
  message: Field<fedclave.v1.RoundKey.$Properties>,
): RoundKey | undefined {
  const { sessionId: text = "", round = 0, attempt = 0 } = message ?? {};
  const sessionId = parseSessionId(text);
  if (sessionId === undefined || round < 1 || attempt < 1) return undefined;
  return { sessionId, round, attempt };
}

/** @throws RefusedError "malformed-round-key" */
export function needRoundKey(message: Field<fedclave.v1.RoundKey.$Properties>): RoundKey {
  const key = readRoundKey(message);
  if (key !== undefined) return key;
  const { sessionId = "", round = 0, attempt = 0 } = message ?? {};
  const wanted = "a session id, round and attempt from 1";
  throw refused("malformed-round-key", `${sessionId}/${round}/${attempt}`, wanted);
}

/** Session and round of a message that is about no attempt. @throws RefusedError "malformed-round-key" */
export function needSessionRound(
  message: Pick<fedclave.v1.RoundKey.$Properties, "sessionId" | "round">,
): Pick<RoundKey, "sessionId" | "round"> {
  const { sessionId = "", round = 0 } = message;
  const key = needRoundKey({ sessionId, round, attempt: 1 });
  return { sessionId: key.sessionId, round: key.round };
}

/** @throws RefusedError "malformed-name" */
export function needName(text: Field<string>): Name {
  const name = parseName(text ?? "");
  if (name === undefined) throw refused("malformed-name", text ?? "", "[a-z0-9-]{1,63}");
  return name;
}

/** @throws RefusedError "malformed-digest" unless there are 32 bytes */
export function needDigest(bytes: Field<Uint8Array>): Digest {
  const digest = digestFromBytes(bytes ?? new Uint8Array());
  if (digest !== undefined) return digest;
  throw refused("malformed-digest", `${bytes?.byteLength ?? 0} bytes`, "32 bytes");
}

/** From low to high; 64-bit fields that float64 cannot hold are outside of all. @throws RefusedError "malformed-number" */
export function needInteger(value: Field<number>, low: number, high: number): number {
  const seen = value ?? 0;
  if (Number.isSafeInteger(seen) && seen >= low && seen <= high) return seen;
  throw refused("malformed-number", seen, `an integer from ${low} to ${high}`);
}

/** @throws RefusedError "malformed-number" unless it is finite and at least `low` */
export function needFinite(value: Field<number>, low: number): number {
  const seen = value ?? 0;
  if (Number.isFinite(seen) && seen >= low) return seen;
  throw refused("malformed-number", seen, `a finite number of at least ${low}`);
}

/** @throws RefusedError "unknown-version" */
export function needVersion(version: Field<number>): void {
  if (version !== WIRE_VERSION) throw refused("unknown-version", version ?? 0, WIRE_VERSION);
}

/**
 * The bounds under which sums are exact: one of zero or NaN would refuse everything, or nothing.
 * @throws RefusedError "malformed-number"
 */
export function needUpdateLimits(message: Field<fedclave.v1.UpdateLimits.$Properties>): {
  readonly elementBound: number;
  readonly normBound?: number;
  readonly weightCap: number;
  readonly gridExponent: number;
} {
  const { elementBound, normBound, weightCap, gridExponent } = message ?? {};
  return {
    elementBound: needFinite(elementBound, Number.MIN_VALUE),
    ...(normBound == null ? {} : { normBound: needFinite(normBound, Number.MIN_VALUE) }),
    weightCap: needInteger(weightCap, 1, Number.MAX_SAFE_INTEGER),
    gridExponent: needInteger(gridExponent, 0, 1000),
  };
}

/** Figures of a client about a model, at most 32. @throws RefusedError "malformed-report" | "malformed-metric" */
export function needMetrics(
  messages: Field<readonly fedclave.v1.Metric.$Properties[]>,
): readonly NamedNumber[] {
  const given = messages ?? [];
  if (given.length > MAX_METRICS) {
    throw refused("malformed-report", `${given.length} metrics`, `at most ${MAX_METRICS}`);
  }
  return needNamedNumbers(given, METRIC_NAME, "malformed-metric");
}

/** What a session sets of a package's, at most 64. @throws RefusedError "malformed-hyperparameter" */
export function needHyperparameters(
  messages: Field<readonly fedclave.v1.Hyperparameter.$Properties[]>,
): readonly NamedNumber[] {
  const given = messages ?? [];
  if (given.length > MAX_HYPERPARAMETERS) {
    throw refused("malformed-hyperparameter", given.length, `at most ${MAX_HYPERPARAMETERS}`);
  }
  return needNamedNumbers(given, HYPERPARAMETER_NAME, "malformed-hyperparameter");
}

function needNamedNumbers(
  messages: readonly { readonly name?: string; readonly value?: number }[],
  form: RegExp,
  code: string,
): readonly NamedNumber[] {
  const values = new Map<string, number>();
  for (const { name = "", value = 0 } of messages) {
    if (!form.test(name) || !Number.isFinite(value) || values.has(name)) {
      throw refused(code, name, `${form.source.slice(1, -1)}, finite, each once`);
    }
    values.set(name, value);
  }
  return [...values].map(([name, value]) => ({ name, value }));
}

/** Reasons from a peer: the first sixteen, without codes that are none. */
export const readRefusals = (
  messages: Field<readonly fedclave.v1.Refusal.$Properties[]>,
): readonly Refusal[] =>
  (messages ?? [])
    .slice(0, MAX_REASONS)
    .map(({ code = "", seen = "", wanted = "" }) =>
      refusal(CODE.test(code) ? code : "unnamed", seen, wanted),
    );
