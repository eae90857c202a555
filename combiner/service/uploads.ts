/** Transfer.Upload from clients: admission, staging, validation as the body comes, then one synchronous fold. */
import { createUpdateValidator } from "../../lib/aggregation/validate.ts";
import type { Clock } from "../../lib/base/clock.ts";
import type { Name } from "../../lib/base/ids.ts";
import { describeError, type Log } from "../../lib/base/log.ts";
import { assertInvariant, type Refusal, RefusedError, refused } from "../../lib/base/refusal.ts";
import type { RoundKey } from "../../lib/base/round-key.ts";
import type { TensorLayout } from "../../lib/tensors/layout.ts";
import type { GrantQueue } from "../../lib/transport/grants.ts";
import type { MemberPeer } from "../../lib/transport/peer.ts";
import {
  type OfferedUpload,
  serveUpload,
  type UploadPlan,
  type UploadSink,
  type UploadStream,
} from "../../lib/transport/serve-upload.ts";
import type { RoundTerms } from "../core/round.ts";
import { type AdmittedUpdate, admitUpload, appraiseOffer } from "../core/upload-admission.ts";
import type { Engine } from "./engine.ts";
import { replaceableStream } from "./replaceable-stream.ts";
import type { StagingBudget } from "./staging.ts";
import { parseUpdate } from "./update-wire.ts";

export type Uploads = {
  /** Serves one Transfer.Upload call of a client. */
  readonly serve: (stream: UploadStream, peer: MemberPeer) => Promise<void>;
  /** Gives a staged body to `fold`, which must use it before it returns. */
  readonly fold: (uploadId: number, fold: (body: Uint8Array) => void) => void;
  readonly refuse: (uploadId: number, refusals: readonly Refusal[]) => void;
};

export type UploadParts = {
  readonly engine: () => Engine;
  readonly grants: GrantQueue;
  readonly staging: StagingBudget;
  /** Trainable layout of a model that is here. */
  readonly layoutOf: (terms: RoundTerms) => TensorLayout;
  readonly clock: Clock;
  readonly log: Log;
};

/** A whole, valid body between its last byte and the core's decision. */
type StagedUpdate = {
  readonly body: Uint8Array;
  outcome: "undecided" | "folded" | RefusedError;
};

/** The upload of a member that counts. */
type CurrentUpload = {
  readonly peer: MemberPeer;
  readonly replace: (reason: Error) => void;
  /** Once it is known for which attempt it is. */
  key?: RoundKey;
  /** The core refused it itself, so it need not be told. */
  refusedByCore?: boolean;
};

/** Serves Transfer.Upload: admitted by the core, staged within the budget, folded whole or not at all. */
export function uploads(parts: UploadParts): Uploads {
  const { grants, clock, log } = parts;
  const staged = new Map<number, StagedUpdate>();
  const current = new Map<Name, CurrentUpload>();
  let lastUpload = 0;

  async function serve(stream: UploadStream, peer: MemberPeer): Promise<void> {
    const { member } = peer;
    const before = current.get(member);
    if (before?.peer === peer) {
      throw refused("upload-in-progress", "a second upload", "one upload a connection");
    }
    // The member has a new connection, so the former one is dead or about to be.
    before?.replace(refused("replaced", "an upload on a newer connection", "one upload a member"));
    const replaceable = replaceableStream(stream);
    const upload: CurrentUpload = { peer, replace: replaceable.replace };
    current.set(member, upload);
    try {
      const admit = (offer: OfferedUpload) => plan(offer, replaceable.stream, upload);
      await serveUpload(replaceable.stream, { grants, admit, clock });
    } catch (error) {
      if (current.get(member) === upload) report(member, upload, error);
      throw error;
    } finally {
      if (current.get(member) === upload) current.delete(member);
    }
  }

  function report(member: Name, { key, refusedByCore }: CurrentUpload, error: unknown): void {
    const refusals = error instanceof RefusedError ? error.refusals : [];
    log.info("upload.failed", { member, error: describeError(error) });
    if (key === undefined || refusedByCore === true) return;
    parts.engine().submit({ kind: "upload-failed", member, key, refusals });
  }

  function plan(offer: OfferedUpload, stream: UploadStream, upload: CurrentUpload): UploadPlan {
    const { member, publicKeyDer } = upload.peer;
    const update = parseUpdate(offer);
    upload.key = update.header.key;
    const admission = admitUpload(parts.engine().state(), update, { member, publicKeyDer });
    if ("refusals" in admission) throw new RefusedError(...admission.refusals);
    return { begin: () => begin(admission.admitted, stream, upload) };
  }

  async function begin(
    update: AdmittedUpdate,
    stream: UploadStream,
    upload: CurrentUpload,
  ): Promise<UploadSink> {
    const { key, member, sizeBytes } = update;
    const release = await parts.staging.reserve(sizeBytes, stream.signal);
    try {
      // The round may have ended while this upload waited.
      const round = parts.engine().state().rounds.get(key.sessionId);
      const refusals = appraiseOffer(round, key, member);
      if (refusals.length > 0 || round === undefined) throw new RefusedError(...refusals);
      const validator = createUpdateValidator(parts.layoutOf(round.terms), round.terms.limits);
      const body = new Uint8Array(sizeBytes);
      let receivedBytes = 0;
      return {
        write: (chunk) => {
          body.set(chunk, receivedBytes);
          receivedBytes += chunk.byteLength;
          validator.push(chunk);
        },
        finish: async () => {
          const found = validator.finish();
          if (found.length > 0) throw new RefusedError(...found);
          decide(update, body, upload);
          release();
        },
        abort: release,
      };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Either the body is in the sums when this returns, or it is refused and nothing has changed. */
  function decide(update: AdmittedUpdate, body: Uint8Array, upload: CurrentUpload): void {
    lastUpload += 1;
    const uploadId = lastUpload;
    const entry: StagedUpdate = { body, outcome: "undecided" };
    staged.set(uploadId, entry);
    parts.engine().submit({ kind: "update-staged", uploadId, update });
    staged.delete(uploadId);
    if (entry.outcome === "folded") return;
    upload.refusedByCore = true;
    throw entry.outcome === "undecided"
      ? refused("shutting-down", "an update", "a combiner that runs")
      : entry.outcome;
  }

  return {
    serve,
    fold: (uploadId, fold) => {
      const entry = staged.get(uploadId);
      assertInvariant(entry?.outcome === "undecided", "a staged update is decided once");
      fold(entry.body);
      entry.outcome = "folded";
    },
    refuse: (uploadId, refusals) => {
      const entry = staged.get(uploadId);
      assertInvariant(entry?.outcome === "undecided", "a staged update is decided once");
      entry.outcome = new RefusedError(...refusals);
    },
  };
}
