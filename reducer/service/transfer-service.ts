/** Transfer at the reducer: partials from combiners, models and packages from admins; models and packages to members. */
import { readPackage } from "../../compute-packages/format/archive.ts";
import { PackageError } from "../../compute-packages/format/package-error.ts";
import type { Clock } from "../../lib/base/clock.ts";
import type { Digest, Name } from "../../lib/base/ids.ts";
import { MAX_MODEL_BYTES, MAX_PACKAGE_BYTES } from "../../lib/base/limits.ts";
import type { Log } from "../../lib/base/log.ts";
import { type Refusal, RefusedError, refusal } from "../../lib/base/refusal.ts";
import type { RoundKey } from "../../lib/base/round-key.ts";
import { MAX_PARTIAL_INDEX_BYTES } from "../../lib/federation/partial-file.ts";
import type { ArtifactStore } from "../../lib/storage/artifacts.ts";
import { firstNonFinite } from "../../lib/tensors/finite.ts";
import { MAX_HEADER_BYTES } from "../../lib/tensors/limits.ts";
import { parseModel } from "../../lib/tensors/safetensors.ts";
import { TensorError } from "../../lib/tensors/tensor-error.ts";
import { bytesSource, type DownloadSource, serveDownload } from "../../lib/transport/download.ts";
import { GrantQueue } from "../../lib/transport/grants.ts";
import type { MemberPeer } from "../../lib/transport/peer.ts";
import type { RequestOf, ResponseOf } from "../../lib/transport/rpcs.ts";
import {
  type OfferedUpload,
  serveUpload,
  type UploadPlan,
  type UploadStream,
} from "../../lib/transport/serve-upload.ts";
import type { MessageWriter } from "../../lib/transport/stream.ts";
import { needDigest, needName, needRoundKey } from "../../lib/transport/wire-fields.ts";
import type { FederationState } from "../core/state.ts";
import type { Engine } from "./engine.ts";
import type { Merging } from "./merging.ts";
import type { ModelShelf } from "./model-shelf.ts";

export type TransferParts = {
  readonly engine: Engine;
  readonly models: ModelShelf;
  readonly artifacts: ArtifactStore;
  readonly partials: Merging;
  readonly clock: Clock;
  readonly log: Log;
};

/** Bytes in front of the index of a partial, and of padding and length around it. */
const PARTIAL_FRAME_BYTES = 32;
/** Of each trainable element. */
const SUM_BYTES = Float64Array.BYTES_PER_ELEMENT;

/** Handlers of Transfer. @throws RefusedError for what the peer may not send or have */
export function transferService(parts: TransferParts) {
  const { engine, models, artifacts, clock } = parts;
  const grants = new GrantQueue();
  const places = new GrantQueue();

  /** What is asked for, and how to let go of it. */
  async function source(
    request: RequestOf<"Transfer.Download">,
  ): Promise<DownloadSource & { readonly close?: () => Promise<void> }> {
    const { state } = engine.coordinator();
    if (request.subject === "modelHash") {
      const hash = needDigest(request.modelHash);
      if (!state.models.has(hash)) throw unknown("unknown-model", hash, "fedclave model list");
      return bytesSource((await models.model(hash)).bytes);
    }
    if (request.subject === "packageDigest") {
      const digest = needDigest(request.packageDigest);
      const reader = state.packages.has(digest)
        ? await artifacts.open("compute-package", digest)
        : undefined;
      if (reader === undefined) throw unknown("unknown-package", digest, "fedclave package list");
      return reader;
    }
    throw new RefusedError(refusal("unexpected-message", "no subject", "a model or a package"));
  }

  return {
    upload: (stream: UploadStream, peer: MemberPeer): Promise<void> =>
      serveUpload(stream, { grants, clock, admit: (offer) => admit(parts, offer, peer) }),

    download: async (
      request: RequestOf<"Transfer.Download">,
      _peer: MemberPeer,
      stream: MessageWriter<ResponseOf<"Transfer.Download">>,
    ): Promise<void> => {
      const offsetBytes = request.offsetBytes ?? 0;
      const opened = await source(request);
      try {
        await serveDownload(stream, opened, { offsetBytes, clock, places });
      } finally {
        await opened.close?.();
      }
    },
  };
}

function admit(parts: TransferParts, offer: OfferedUpload, peer: MemberPeer): UploadPlan {
  const { header } = offer;
  const wanted = peer.role === "combiner" ? "a partial" : "a model or a package";
  if (peer.role === "combiner" && header.subject === "partial") {
    return admitPartial(parts, offer, peer.member);
  }
  if (peer.role === "admin" && header.subject === "model") {
    const name = needName(header.model?.name);
    return inMemory(offer, MAX_MODEL_BYTES, (body) => importModel(parts, name, body));
  }
  if (peer.role === "admin" && header.subject === "package") {
    const name = needName(header.package?.name);
    return inMemory(offer, MAX_PACKAGE_BYTES, (body) => importPackage(parts, name, body));
  }
  throw new RefusedError(refusal("wrong-subject", header.subject ?? "none", wanted));
}

function admitPartial(
  { engine, partials }: TransferParts,
  offer: OfferedUpload,
  combiner: Name,
): UploadPlan {
  const { partial } = offer.header;
  const key = needRoundKey(partial?.roundKey);
  const offered = { key, leaseEpoch: partial?.leaseEpoch ?? 0 };
  const refuseStale = () => {
    const refusals = partials.appraiseOffer(offered, combiner);
    if (refusals.length > 0) throw new RefusedError(...refusals);
  };
  refuseStale();
  const maxBytes = largestPartialBytes(engine.coordinator().state, key);
  const plan = inMemory(offer, maxBytes, (body) => partials.take(offered, combiner, body));
  return {
    begin: () => {
      refuseStale();
      return plan.begin();
    },
  };
}

/** What a partial of this session can have: a combiner, whose host is not trusted, must not make us allocate more. */
function largestPartialBytes({ sessions, models }: FederationState, key: RoundKey): number {
  const session = sessions.get(key.sessionId);
  const model = session && models.get(session.modelHash);
  const sumsBytes = SUM_BYTES * (model?.parameterCount ?? 0) + MAX_HEADER_BYTES;
  return PARTIAL_FRAME_BYTES + MAX_PARTIAL_INDEX_BYTES + sumsBytes;
}

/** A body that is collected and then taken whole. */
function inMemory(
  { sizeBytes }: OfferedUpload,
  maxSizeBytes: number,
  take: (body: Uint8Array) => Promise<void>,
): UploadPlan {
  if (sizeBytes > maxSizeBytes) {
    throw new RefusedError(refusal("too-large", sizeBytes, `at most ${maxSizeBytes} bytes`));
  }
  return {
    begin: () => {
      let body = new Uint8Array(sizeBytes);
      let filled = 0;
      return {
        write: (chunk) => {
          body.set(chunk, filled);
          filled += chunk.byteLength;
        },
        finish: () => take(body),
        abort: () => {
          body = new Uint8Array();
        },
      };
    },
  };
}

async function importModel(
  { engine, models, clock, log }: TransferParts,
  name: Name,
  body: Uint8Array,
): Promise<void> {
  refuseBadModel(body);
  const { modelHash, bytes, layout } = await models.store(body);
  await engine.decide(({ state }) => {
    if (state.models.has(modelHash)) return { result: undefined };
    const event = {
      kind: "model-imported",
      modelHash,
      name,
      sizeBytes: bytes.byteLength,
      parameterCount: layout.elementCount,
      atMs: clock.untrustedNowMs(),
    } as const;
    return { input: { kind: "record", event }, result: undefined };
  });
  log.info("model.imported", { modelHash, name, sizeBytes: bytes.byteLength });
}

/** @throws RefusedError "model-…" before anything is stored */
function refuseBadModel(body: Uint8Array): void {
  try {
    const nonFinite = firstNonFinite(body, parseModel(body).layout);
    if (nonFinite === undefined) return;
    const wanted = "finite numbers: nothing could be trained from it";
    throw new RefusedError(refusal("model-non-finite", nonFinite, wanted));
  } catch (error) {
    if (!(error instanceof TensorError)) throw error;
    throw new RefusedError(refusal(`model-${error.code}`, error.message, "canonical safetensors"));
  }
}

async function importPackage(
  { engine, artifacts, clock, log }: TransferParts,
  name: Name,
  body: Uint8Array,
): Promise<void> {
  const { digest: packageDigest, manifest } = readChecked(body);
  await artifacts.put("compute-package", body, packageDigest);
  await engine.decide(({ state }) => {
    if (state.packages.has(packageDigest)) return { result: undefined };
    const event = {
      kind: "package-uploaded",
      packageDigest,
      name,
      runtime: manifest.runtime,
      sizeBytes: body.byteLength,
      atMs: clock.untrustedNowMs(),
    } as const;
    return { input: { kind: "record", event }, result: undefined };
  });
  log.info("package.uploaded", { packageDigest, name, sizeBytes: body.byteLength });
}

function readChecked(body: Uint8Array) {
  try {
    return readPackage(body);
  } catch (error) {
    if (!(error instanceof PackageError)) throw error;
    const reason: Refusal = refusal(
      `package-${error.code}`,
      error.message,
      "a package built by `fedclave package build`",
    );
    throw new RefusedError(reason);
  }
}

const unknown = (code: string, digest: Digest, command: string): RefusedError =>
  new RefusedError(refusal(code, digest, `one from \`${command}\``));
