/** Partial aggregates on their way to the reducer: built once from the sums, sent until it has them or no longer wants. */

import { backoffMs, drawJitter } from "../../lib/base/backoff.ts";
import { concatBytes } from "../../lib/base/bytes.ts";
import type { Clock } from "../../lib/base/clock.ts";
import { type Digest, digestOf, type SessionId } from "../../lib/base/ids.ts";
import { describeError, type Log } from "../../lib/base/log.ts";
import type { Randomness } from "../../lib/base/randomness.ts";
import { assertInvariant, RefusedError } from "../../lib/base/refusal.ts";
import { type RoundKey, roundText, sameRound } from "../../lib/base/round-key.ts";
import { writePartialHead } from "../../lib/federation/partial-file.ts";
import type { Connection } from "../../lib/transport/connect.ts";
import { delay } from "../../lib/transport/delay.ts";
import { sendUpload } from "../../lib/transport/send-upload.ts";
import { fedclave } from "../../proto/generated/fedclave.js";
import type { CombinerSettings, PartialPlan } from "../core/state.ts";
import type { RoundSums } from "./sums.ts";

const { PartialIndex } = fedclave.v1;

export type Partials = {
  /** Builds the partial of sums as they are now and begins to send it; the same one again tries at once. */
  readonly send: (plan: PartialPlan) => void;
  readonly stop: (key: RoundKey) => void;
  readonly close: () => void;
};

type Delivery = {
  readonly plan: PartialPlan;
  readonly controller: AbortController;
  /** Ends the wait before the next attempt. */
  hurry: () => void;
};

/** Refusals that pass: the reducer is busy or lost us on the way. */
const PASSING_CODES: ReadonlySet<string> = new Set([
  "busy",
  "too-slow",
  "truncated",
  "digest-mismatch",
  "shutting-down",
]);

/** Delivers partial aggregates to the reducer until they are taken or void. */
export function partials(given: {
  readonly settings: CombinerSettings;
  readonly sums: RoundSums;
  readonly reducer: Connection;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
  readonly onFatal: (error: unknown) => void;
}): Partials {
  const { settings, clock, randomness, log } = given;
  const deliveries = new Map<SessionId, Delivery>();

  async function deliver(delivery: Delivery, body: Uint8Array): Promise<void> {
    const { plan, controller } = delivery;
    const { key, leaseEpoch } = plan;
    const digest: Digest = digestOf(body);
    const subject = { partial: { roundKey: key, leaseEpoch } };
    const fields = { round: roundText(key), leaseEpoch, sizeBytes: body.byteLength };
    for (let attempt = 1; ; attempt += 1) {
      try {
        await sendUpload(given.reducer, subject, body, digest, { signal: controller.signal });
        log.info("partial.delivered", { ...fields, updateCount: plan.headers.length });
        return;
      } catch (error) {
        controller.signal.throwIfAborted();
        log.warn("partial.not-delivered", { ...fields, error: describeError(error) });
        // The reducer gives its orders by itself once it has refused one for good.
        if (error instanceof RefusedError && !passes(error)) return;
      }
      await pause(delivery, backoffMs(attempt, drawJitter(randomness)));
    }
  }

  function pause(delivery: Delivery, delayMs: number): Promise<void> {
    const hurried = new Promise<void>((resolve) => {
      delivery.hurry = resolve;
    });
    return Promise.race([delay(clock, delayMs, delivery.controller.signal), hurried]);
  }

  function stop(key: RoundKey): void {
    const delivery = deliveries.get(key.sessionId);
    if (delivery === undefined || !sameRound(delivery.plan.key, key)) return;
    deliveries.delete(key.sessionId);
    delivery.controller.abort(new Error("the partial is not wanted any more"));
  }

  return {
    send: (plan) => {
      const { sessionId } = plan.key;
      const before = deliveries.get(sessionId);
      const same =
        before !== undefined &&
        sameRound(before.plan.key, plan.key) &&
        before.plan.leaseEpoch === plan.leaseEpoch;
      if (same) return before.hurry();
      if (before !== undefined) stop(before.plan.key);
      const body = partialBody(settings, plan, given.sums);
      const delivery: Delivery = { plan, controller: new AbortController(), hurry: () => {} };
      deliveries.set(sessionId, delivery);
      deliver(delivery, body)
        .catch((error: unknown) => {
          if (!delivery.controller.signal.aborted) given.onFatal(error);
        })
        .finally(() => {
          if (deliveries.get(sessionId) === delivery) deliveries.delete(sessionId);
        });
    },
    stop,
    close: () => {
      for (const { plan } of [...deliveries.values()]) stop(plan.key);
    },
  };
}

/** The bytes of a partial aggregate (docs/wire-formats.md): a copy, so that the sums may change while it is sent. */
function partialBody(
  { federationId, combiner }: Pick<CombinerSettings, "federationId" | "combiner">,
  plan: PartialPlan,
  sums: Pick<RoundSums, "of">,
): Uint8Array {
  const sum = sums.of(plan.key);
  assertInvariant(sum.weightSum === plan.weightSum, "core and sums agree on what is folded");
  const { key: roundKey, leaseEpoch, gridExponent, weightSum } = plan;
  const headers = plan.headers.map(({ bytes: header, signature }) => ({ header, signature }));
  const index = PartialIndex.encode({
    version: 1,
    federationId,
    combiner,
    roundKey,
    leaseEpoch,
    gridExponent,
    weightSum,
    headers,
  }).finish();
  return concatBytes(writePartialHead(index), ...sum.parts());
}

const passes = ({ refusals }: RefusedError): boolean =>
  refusals.every(({ code }) => PASSING_CODES.has(code));
