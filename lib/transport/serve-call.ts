/** One call at the serving end: who may call, the first message's deadline, the handler, and how the call ends. */
import type { ServerDuplexStream, StatusObject } from "@grpc/grpc-js";
import type { Clock } from "../base/clock.ts";
import { describeError, type Log } from "../base/log.ts";
import { InvariantError, refused } from "../base/refusal.ts";
import { within } from "./deadline.ts";
import { failureStatus } from "./failure.ts";
import { CALL_HEADER, type CallBinding } from "./http2-server.ts";
import { CALL_LINGER_MS, FIRST_MESSAGE_TIMEOUT_MS } from "./limits.ts";
import { type Caller, callerOf, type Peer, validUntilMs } from "./peer.ts";
import type { Decoded, RequestOf, ResponseOf, RPCS, RpcKind, RpcName } from "./rpcs.ts";
import type { StatusTable } from "./status-table.ts";
import { CallStream, type MessageStream, type MessageWriter } from "./stream.ts";
import { TransportError } from "./transport-error.ts";

type HandleOf<Kind extends RpcKind, Request, Response> = {
  readonly unary: (request: Request, peer: Peer, signal: AbortSignal) => Promise<Response>;
  /** Returning ends the stream well. */
  readonly "server-stream": (
    request: Request,
    peer: Peer,
    stream: MessageWriter<Response>,
  ) => Promise<void>;
  readonly bidi: (stream: MessageStream<Request, Response>, peer: Peer) => Promise<void>;
}[Kind];

/** What a listener offers under one rpc name. Throwing RefusedError answers with its refusals. */
export type Handler<N extends RpcName> = {
  /** At least one, each among the rpc's own callers. */
  readonly callers: readonly Caller[];
  readonly handle: HandleOf<(typeof RPCS)[N]["kind"], RequestOf<N>, ResponseOf<N>>;
};

/** A handler of any rpc, its types forgotten: the table and the codec hold them together. */
export type AnyHandler = {
  readonly name: RpcName;
  readonly kind: RpcKind;
  readonly callers: readonly Caller[];
  readonly handle: (first: unknown, second: unknown, third?: unknown) => Promise<unknown>;
};

export type ServingContext = {
  readonly clock: Clock;
  readonly log: Log;
  readonly statuses: StatusTable;
  readonly takeCall: (id: string) => CallBinding | undefined;
  /** Aborted when the listener closes by force; its reason is an Error. */
  readonly closing: AbortSignal;
};

/** grpc-js's stream of a call. */
export type GrpcCall = ServerDuplexStream<Decoded<unknown>, unknown>;

/**
 * Runs a call to its end. Whatever goes wrong ends this call only.
 * @throws InvariantError which nobody catches: it stops the process
 */
export async function serveCall(
  handler: AnyHandler,
  call: GrpcCall,
  context: ServingContext,
): Promise<void> {
  const { clock, log, statuses, closing } = context;
  const binding = context.takeCall(String(call.metadata.get(CALL_HEADER)[0]));
  // The stream was gone before we came to it.
  if (binding === undefined) return void call.destroy();
  const stream = new CallStream<unknown, unknown>(call, (why) =>
    refused("malformed-message", why, "a message of this rpc"),
  );
  binding.onClose(() =>
    stream.fail(new TransportError("closed", `${handler.name}: the peer left`)),
  );
  const onClosing = (): void => stream.fail(closing.reason as Error);
  closing.addEventListener("abort", onClosing, { once: true });
  try {
    checkCaller(handler, binding.peer, clock);
    await runHandler(handler, withFirstDeadline(stream, binding, clock), binding.peer);
    call.end();
  } catch (error) {
    const { status, internal } = failureStatus(error, statuses);
    const fields = { rpc: handler.name, address: binding.peer.remoteAddress };
    // What a peer's leaving interrupts is no failure of ours.
    if (internal && error !== stream.signal.reason) {
      log.error("call.failed", { ...fields, error: describeError(error) });
    } else {
      log.debug("call.refused", { ...fields, error: describeError(error) });
    }
    endWith(call, status);
    if (error instanceof InvariantError) throw error;
  } finally {
    closing.removeEventListener("abort", onClosing);
    // The status waits behind what the peer does not take, and a peer may go on sending after it.
    const cancel = clock.after(CALL_LINGER_MS, binding.reset);
    binding.onClose(cancel);
  }
}

async function runHandler(
  handler: AnyHandler,
  stream: MessageStream<unknown, unknown>,
  peer: Peer,
): Promise<void> {
  if (handler.kind === "bidi") {
    await handler.handle(stream, peer);
    return;
  }
  const request = await stream.read();
  if (handler.kind === "server-stream") {
    const { write, signal } = stream;
    await handler.handle(request, peer, { write, signal });
    return;
  }
  await stream.write(await handler.handle(request, peer, stream.signal));
}

/** The peer's certificate allows the call, now. */
function checkCaller(handler: AnyHandler, peer: Peer, clock: Clock): void {
  if (!handler.callers.includes(callerOf(peer))) {
    throw refused("caller-not-allowed", callerOf(peer), handler.callers.join(" or "));
  }
  const endMs = validUntilMs(peer) ?? Number.POSITIVE_INFINITY;
  if (clock.untrustedNowMs() >= endMs) {
    throw refused("certificate-expired", endMs, "a certificate that is still valid");
  }
}

/** The call's stream. Its first message must come, and soon: every rpc begins with one. */
function withFirstDeadline(
  stream: CallStream<unknown, unknown>,
  binding: CallBinding,
  clock: Clock,
): MessageStream<unknown, unknown> {
  let first = true;
  return {
    read: async () => {
      const isFirst = first;
      first = false;
      const message = await (isFirst
        ? within(clock, FIRST_MESSAGE_TIMEOUT_MS, stream.read(), () =>
            refused("too-slow", "no message", `a message within ${FIRST_MESSAGE_TIMEOUT_MS} ms`),
          )
        : stream.read());
      if (isFirst && message === undefined) {
        throw refused("missing-message", "the end of the call", "a message first");
      }
      binding.messageRead();
      return message;
    },
    write: (message) => stream.write(message),
    signal: stream.signal,
  };
}

/** grpc-js takes an error event for the status to end with; the stream it ends may be gone already. */
function endWith(call: GrpcCall, status: StatusObject): void {
  if (!call.destroyed && !call.writableEnded) call.emit("error", status);
}
