/** The streams of attached combiners: orders go out in sequence, what they say becomes inputs of the engine. */
import type { Clock } from "../../lib/base/clock.ts";
import type { Name } from "../../lib/base/ids.ts";
import { describeError, type Log } from "../../lib/base/log.ts";
import { Outbox } from "../../lib/base/outbox.ts";
import type { MemberPeer } from "../../lib/transport/peer.ts";
import type { RequestOf, ResponseOf } from "../../lib/transport/rpcs.ts";
import type { MessageStream } from "../../lib/transport/stream.ts";
import type { fedclave } from "../../proto/generated/fedclave.js";
import type { CombinerOrder } from "../core/draft.ts";
import type { FederationState } from "../core/state.ts";
import type { Engine } from "./engine.ts";
import { attachInput, combinerInput, orderMessage } from "./order-wire.ts";

type AttachStream = MessageStream<
  RequestOf<"Coordination.Attach">,
  ResponseOf<"Coordination.Attach">
>;
type OrderMessage = ResponseOf<"Coordination.Attach">;

/** Orders that may wait for one combiner; one that falls further behind is cut off and attaches again. */
const MAX_WAITING_ORDERS = 4096;

/** What one combiner said and the engine has not taken yet. */
const MAX_QUEUED_INPUTS = 256;

export type CombinerLinks = {
  /** Serves one Coordination.Attach call until it ends. */
  readonly serve: (stream: AttachStream, peer: MemberPeer) => Promise<void>;
  /** Queues an order for a combiner; nothing happens if it is not attached: it gets what is current when it is. */
  readonly send: (state: FederationState, combiner: Name, order: CombinerOrder) => void;
};

/** Serves Coordination.Attach: orders out, what combiners say into the core. */
export function combinerLinks(given: {
  readonly engine: () => Engine;
  readonly clock: Clock;
  readonly log: Log;
}): CombinerLinks {
  const { clock, log } = given;
  const outboxes = new Map<Name, Outbox<OrderMessage>>();

  async function serve(stream: AttachStream, peer: MemberPeer): Promise<void> {
    const combiner = peer.member;
    const hello = attachInput(combiner, peer.spkiDigest, await stream.read());
    const outbox = new Outbox<OrderMessage>(MAX_WAITING_ORDERS);
    // The newest stream of a combiner is the one that counts; a half-open former one is ended.
    const former = outboxes.get(combiner);
    if (former !== undefined) {
      // Once, after a broken connection; again and again when two processes run on one home.
      log.warn("combiner.replaced", { combiner, address: hello.address });
      former.close();
    }
    outboxes.set(combiner, outbox);
    log.info("combiner.attached", {
      combiner,
      address: hello.address,
      clients: hello.attending.length,
    });
    try {
      await given.engine().submit(hello);
      outbox.push({ kind: "attached", attached: { version: 1, combiner } });
      await Promise.race([readAll(stream, combiner), writeAll(stream, outbox)]);
    } catch (error) {
      log.warn("combiner.stream-failed", { combiner, error: describeError(error) });
      throw error;
    } finally {
      outbox.close();
      if (outboxes.get(combiner) === outbox) {
        outboxes.delete(combiner);
        log.info("combiner.detached", { combiner });
        await given.engine().submit({ kind: "combiner-detached", combiner }).catch(ignoreStop);
      }
    }
  }

  async function readAll(stream: AttachStream, combiner: Name): Promise<void> {
    let queuedCount = 0;
    for (;;) {
      const message = await stream.read();
      if (message === undefined) return;
      const input = combinerInput(combiner, message);
      if (message.kind === "updateRefused") logRefusal(log, combiner, message.updateRefused);
      if (input === undefined) continue;
      // Not awaited one by one: a batch of reports becomes one append. The engine keeps the order, so waiting for one in
      // many bounds what a combiner can make it queue.
      const taken = given.engine().submit(input).catch(ignoreStop);
      queuedCount += 1;
      if (queuedCount < MAX_QUEUED_INPUTS) continue;
      await taken;
      queuedCount = 0;
    }
  }

  return {
    serve,
    send: (state, combiner, order) => {
      const outbox = outboxes.get(combiner);
      if (outbox === undefined) return;
      const taken = outbox.push(orderMessage(state, order, clock.untrustedNowMs()));
      if (taken) return;
      log.warn("combiner.too-slow", { combiner, waiting: MAX_WAITING_ORDERS });
      outbox.close();
    },
  };
}

/** An input is lost only when the reducer stops, and then the ledger has the last word. */
function ignoreStop(): void {}

async function writeAll(stream: AttachStream, outbox: Outbox<OrderMessage>): Promise<void> {
  for (;;) {
    const message = await outbox.next();
    if (message === undefined) return;
    await stream.write(message);
  }
}

function logRefusal(log: Log, combiner: Name, refused: fedclave.v1.UpdateRefused.$Shape): void {
  const codes = (refused.refusals ?? []).map(({ code }) => code ?? "").slice(0, 8);
  log.warn("update.refused", { combiner, member: refused.member?.slice(0, 63) ?? "", codes });
}
