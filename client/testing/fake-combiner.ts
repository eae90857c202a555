/** A combiner as far as a client can tell: real connections and certificates, answers as the test wants them. */
import { systemClock } from "../../lib/base/clock.ts";
import { type Digest, digestFromBytes, digestOf } from "../../lib/base/ids.ts";
import type { SigningKey } from "../../lib/base/keys.ts";
import { silentLog } from "../../lib/base/log.ts";
import { Outbox } from "../../lib/base/outbox.ts";
import { RefusedError, refusal } from "../../lib/base/refusal.ts";
import { verifyUpdateHeader } from "../../lib/federation/update-header.ts";
import type { FederationTrust } from "../../lib/provisioning/member-certificate.ts";
import { bytesSource, serveDownload } from "../../lib/transport/download.ts";
import { GrantQueue } from "../../lib/transport/grants.ts";
import { listen } from "../../lib/transport/listen.ts";
import type { Peer } from "../../lib/transport/peer.ts";
import type { RequestOf, ResponseOf } from "../../lib/transport/rpcs.ts";
import {
  type OfferedUpload,
  serveUpload,
  type UploadSink,
} from "../../lib/transport/serve-upload.ts";
import type { MessageStream } from "../../lib/transport/stream.ts";
import type { TlsIdentity } from "../../lib/transport/tls-identity.ts";
import { fedclave } from "../../proto/generated/fedclave.js";
import { Inbox } from "./inbox.ts";

type Attend = MessageStream<RequestOf<"Tasks.Attend">, ResponseOf<"Tasks.Attend">>;
type Push = ResponseOf<"Tasks.Attend">;

export type CombinerEvent =
  | { readonly kind: "attended"; readonly member: string; readonly epoch: number }
  | { readonly kind: "left"; readonly member: string }
  | { readonly kind: "said"; readonly member: string; readonly message: RequestOf<"Tasks.Attend"> }
  | { readonly kind: "served"; readonly model: Digest }
  | { readonly kind: "offered"; readonly member: string }
  | {
      readonly kind: "uploaded";
      readonly member: string;
      readonly body: Uint8Array;
      readonly header: fedclave.v1.UpdateHeader;
      readonly isSigned: boolean;
    };

export type FakeCombiner = {
  readonly name: string;
  readonly address: string;
  readonly spkiDigest: Digest;
  readonly events: Inbox<CombinerEvent>;
  /** Sends to a member that attends. */
  readonly push: (member: string, message: Push) => void;
  /** Ends a member's stream well. */
  readonly dismiss: (member: string) => void;
  /** Codes with which the next uploads are refused, one each, before their body. */
  readonly refuseNext: string[];
  /** Codes with which the next model downloads are refused. */
  readonly refuseModels: string[];
  readonly models: Map<Digest, Uint8Array>;
  /** Drops every connection at once, as a killed process does. */
  readonly kill: () => Promise<void>;
};

export async function startFakeCombiner(given: {
  readonly name: string;
  readonly identity: TlsIdentity;
  readonly key: SigningKey;
  readonly trust: FederationTrust;
  readonly welcomes?: boolean;
}): Promise<FakeCombiner> {
  const clock = systemClock();
  const events = new Inbox<CombinerEvent>();
  const outboxes = new Map<string, Outbox<Push>>();
  const models = new Map<Digest, Uint8Array>();
  const refuseNext: string[] = [];
  const refuseModels: string[] = [];
  const grants = new GrantQueue();
  const places = new GrantQueue();

  async function attend(stream: Attend, peer: Peer): Promise<void> {
    const member = memberOf(peer);
    const hello = await stream.read();
    const outbox = new Outbox<Push>(100);
    outboxes.set(member, outbox);
    if (given.welcomes ?? true) outbox.push({ welcome: { version: 1 } });
    events.put({ kind: "attended", member, epoch: hello?.hello?.assignmentEpoch ?? 0 });
    stream.signal.addEventListener("abort", () => outbox.close());
    readAll(stream, member).catch(() => {});
    for (let next = await outbox.next(); next !== undefined; next = await outbox.next()) {
      await stream.write(next);
    }
    events.put({ kind: "left", member });
  }

  async function readAll(stream: Attend, member: string): Promise<void> {
    for (let next = await stream.read(); next !== undefined; next = await stream.read()) {
      events.put({ kind: "said", member, message: next });
    }
  }

  function admit(offer: OfferedUpload, peer: Peer): UploadSink {
    const body = new Uint8Array(offer.sizeBytes);
    let filled = 0;
    return {
      write: (chunk) => {
        body.set(chunk, filled);
        filled += chunk.byteLength;
      },
      finish: async () => {
        const { header, signature } = offer.header.update ?? {};
        const bytes = header ?? new Uint8Array();
        events.put({
          kind: "uploaded",
          member: memberOf(peer),
          body,
          header: fedclave.v1.UpdateHeader.decode(bytes),
          isSigned: verifyUpdateHeader(peer.publicKeyDer, {
            bytes,
            signature: signature ?? new Uint8Array(),
          }),
        });
      },
      abort: () => {},
    };
  }

  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    identity: given.identity,
    trust: given.trust,
    admitsJoining: false,
    clock,
    log: silentLog,
    handlers: {
      "Tasks.Attend": { callers: ["client"], handle: attend },
      "Transfer.Upload": {
        callers: ["client"],
        handle: (stream, peer) =>
          serveUpload(stream, {
            grants,
            clock,
            admit: (offer) => {
              events.put({ kind: "offered", member: memberOf(peer) });
              refuseIfAsked(refuseNext);
              return { begin: () => admit(offer, peer) };
            },
          }),
      },
      "Transfer.Download": {
        callers: ["client"],
        handle: async (request, _peer, stream) => {
          refuseIfAsked(refuseModels);
          const digest = digestFromBytes(request.modelHash ?? new Uint8Array());
          const model = digest === undefined ? undefined : models.get(digest);
          if (digest === undefined || model === undefined) {
            throw new RefusedError(refusal("unknown-model", String(digest), "a current model"));
          }
          events.put({ kind: "served", model: digest });
          const { offsetBytes } = request;
          await serveDownload(stream, bytesSource(model), { offsetBytes, clock, places });
        },
      },
    },
  });
  return {
    name: given.name,
    address: `127.0.0.1:${listener.port}`,
    spkiDigest: given.key.spkiDigest,
    events,
    push: (member, message) => outboxes.get(member)?.push(message),
    dismiss: (member) => outboxes.get(member)?.close(),
    refuseNext,
    refuseModels,
    models,
    kill: () => listener.close(0),
  };
}

/** A model that the combiner serves from now on. @returns its hash */
export function serveModel(combiner: FakeCombiner, model: Uint8Array): Digest {
  const digest = digestOf(model);
  combiner.models.set(digest, model);
  return digest;
}

export const memberOf = (peer: Peer): string => (peer.kind === "member" ? peer.member : "joining");

function refuseIfAsked(codes: string[]): void {
  const code = codes.shift();
  if (code !== undefined) throw new RefusedError(refusal(code, "this", "that"));
}
