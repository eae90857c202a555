/** Follows a session on the reducer's stream; a connection that breaks is made again. */
import type { Clock } from "../lib/base/clock.ts";
import type { Connection } from "../lib/transport/connect.ts";
import { delay } from "../lib/transport/delay.ts";
import { TransportError } from "../lib/transport/transport-error.ts";
import { type SessionView, sessionView, withUpdate } from "./views.ts";

export type SessionWatch = {
  readonly clock: Clock;
  /** Ends the watching, not the session. */
  readonly signal: AbortSignal;
  readonly onUpdate: (session: SessionView) => void;
  /** Called when the reducer was lost, before each attempt to reach it again. */
  readonly onLost?: () => void;
};

const RETRY_MS = 500;

/**
 * Resolves with the session once it has ended.
 * @throws RefusedError, for a session that does not exist
 * @throws the signal's reason
 */
export async function watchSession(
  reducer: Connection,
  sessionId: string,
  watch: SessionWatch,
): Promise<SessionView> {
  for (;;) {
    watch.signal.throwIfAborted();
    try {
      return await followOnce(reducer, sessionId, watch);
    } catch (error) {
      watch.signal.throwIfAborted();
      if (!(error instanceof TransportError)) throw error;
      watch.onLost?.();
      await delay(watch.clock, RETRY_MS, watch.signal);
    }
  }
}

async function followOnce(
  reducer: Connection,
  sessionId: string,
  { signal, onUpdate }: SessionWatch,
): Promise<SessionView> {
  const stream = reducer.serverStream("Sessions.Watch", { sessionId });
  signal.addEventListener("abort", stream.cancel);
  try {
    let session: SessionView | undefined;
    for (;;) {
      const message = await stream.read();
      if (message === undefined) {
        if (session !== undefined && session.status !== "running") return session;
        throw new TransportError("closed", "the reducer ended the stream of a session that runs");
      }
      session = withUpdate(session, sessionView(message));
      onUpdate(session);
    }
  } finally {
    signal.removeEventListener("abort", stream.cancel);
    stream.cancel();
  }
}
