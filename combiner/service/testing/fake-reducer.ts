/** The reducer's end of what a combiner uses, on a real listener: it orders what a test says and keeps what it gets. */
import { type Digest, digestBytes, digestOf, type Name } from "../../../lib/base/ids.ts";
import { Outbox } from "../../../lib/base/outbox.ts";
import { RefusedError, refusal } from "../../../lib/base/refusal.ts";
import type { RoundKey } from "../../../lib/base/round-key.ts";
import { bytesSource, serveDownload } from "../../../lib/transport/download.ts";
import { GrantQueue } from "../../../lib/transport/grants.ts";
import type { Listener } from "../../../lib/transport/listen.ts";
import type { RequestOf, ResponseOf } from "../../../lib/transport/rpcs.ts";
import { serveUpload, type UploadStream } from "../../../lib/transport/serve-upload.ts";
import type { TestFederation } from "../../../lib/transport/testing/test-federation.ts";
import { GRID_EXPONENT } from "./model.ts";

type CombinerMessage = RequestOf<"Coordination.Attach">;
type OrderMessage = ResponseOf<"Coordination.Attach">;

export class FakeReducer {
  readonly messages: CombinerMessage[] = [];
  readonly partials: Uint8Array[] = [];
  readonly models = new Map<Digest, Uint8Array>();
  /** Orders sent on every new stream, before "attached". */
  standing: OrderMessage[] = [];
  /** Codes with which the next partials are refused. */
  refuseNext: string[] = [];
  attachCount = 0;
  downloadCount = 0;
  #outbox: Outbox<OrderMessage> | undefined;
  #listener: Listener | undefined;

  static async start(federation: TestFederation): Promise<FakeReducer> {
    const reducer = new FakeReducer();
    const { clock } = federation;
    reducer.#listener = await federation.listen(
      {
        "Coordination.Attach": {
          callers: ["combiner"],
          handle: async (stream) => {
            const outbox = new Outbox<OrderMessage>(10_000);
            reducer.#outbox = outbox;
            reducer.attachCount += 1;
            const read = async () => {
              for (;;) {
                const message = await stream.read();
                if (message === undefined) return;
                reducer.messages.push(message);
                if (message.kind === "hello") {
                  for (const order of reducer.standing) outbox.push(order);
                  outbox.push({ kind: "attached", attached: { version: 1, combiner: "c" } });
                }
              }
            };
            const write = async () => {
              for (;;) {
                const order = await outbox.next();
                if (order === undefined) return;
                await stream.write(order);
              }
            };
            await Promise.race([read(), write()]);
          },
        },
        "Transfer.Upload": {
          callers: ["combiner"],
          handle: (stream) => reducer.#receive(stream, federation),
        },
        "Transfer.Download": {
          callers: ["combiner"],
          handle: async (request, _, stream) => {
            reducer.downloadCount += 1;
            const bytes = [...reducer.models].find(([hash]) =>
              Buffer.from(digestBytes(hash)).equals(Buffer.from(request.modelHash ?? [])),
            )?.[1];
            if (bytes === undefined) throw new RefusedError(refusal("unknown-model", "", ""));
            const places = new GrantQueue();
            await serveDownload(stream, bytesSource(bytes), { offsetBytes: 0, clock, places });
          },
        },
      },
      { identity: federation.identity("reducer", "reducer") },
    );
    return reducer;
  }

  get listener(): Listener {
    return this.#listener!;
  }

  addModel(bytes: Uint8Array): Digest {
    const hash = digestOf(bytes);
    this.models.set(hash, bytes);
    return hash;
  }

  order(order: OrderMessage): void {
    this.#outbox?.push(order);
  }

  /** Ends the stream there is. */
  hangUp(): void {
    this.#outbox?.close();
    this.#outbox = undefined;
  }

  messagesOf<K extends CombinerMessage["kind"] & string>(kind: K): CombinerMessage[] {
    return this.messages.filter((message) => message.kind === kind);
  }

  async #receive(stream: UploadStream, { clock }: TestFederation): Promise<void> {
    await serveUpload(stream, {
      grants: new GrantQueue(),
      clock,
      admit: ({ sizeBytes }) => {
        const code = this.refuseNext.shift();
        if (code !== undefined) throw new RefusedError(refusal(code, "", ""));
        const chunks: Uint8Array[] = [];
        return {
          begin: () => ({
            write: (chunk) => void chunks.push(Uint8Array.from(chunk)),
            finish: async () => {
              const body = new Uint8Array(Buffer.concat(chunks));
              if (body.byteLength === sizeBytes) this.partials.push(body);
            },
            abort: () => {},
          }),
        };
      },
    });
  }
}

export function openRoundOrder(given: {
  readonly key: RoundKey;
  readonly members: readonly Name[];
  readonly baseModelHash: Digest;
  readonly modelSizeBytes: number;
  readonly leaseEpoch?: number;
}): OrderMessage {
  const { key, members, baseModelHash, modelSizeBytes, leaseEpoch = 1 } = given;
  const openRound = {
    roundKey: key,
    leaseEpoch,
    members: [...members],
    baseModelHash: digestBytes(baseModelHash),
    modelSizeBytes,
    packageDigest: new Uint8Array(32).fill(3),
    sessionSeed: new Uint8Array(32).fill(4),
    limits: { elementBound: 8, weightCap: 1000, gridExponent: GRID_EXPONENT },
    remainingMs: 3_600_000,
    proximalMu: 0.25,
    hyperparameters: [{ name: "lr", value: 0.5 }],
  };
  return { kind: "openRound", openRound };
}
