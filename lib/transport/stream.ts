/** Messages in both directions on one call, with backpressure: nobody reads ahead of need or writes without room. */
import { setMaxListeners } from "node:events";
import { MAX_UNSENT_MESSAGES } from "./limits.ts";
import type { Decoded } from "./rpcs.ts";

/** One end of a call. One reader and one writer at a time. */
export type MessageStream<In, Out> = {
  /**
   * The next message, or undefined when the peer will send no more.
   * @throws the reason why the call ended, if it did not end well
   */
  readonly read: () => Promise<In | undefined>;
  /**
   * Sends a message; resolves when there is room for a further one, which is not yet when the peer has it.
   * @throws the reason why the call ended
   */
  readonly write: (message: Out) => Promise<void>;
  /** Aborted when the call is over, for whatever reason; its `reason` is an Error. */
  readonly signal: AbortSignal;
};

export type MessageWriter<Out> = Pick<MessageStream<never, Out>, "write" | "signal">;

/** What is used of grpc-js's stream; in object mode, gives Decoded messages. */
type GrpcDuplex = {
  read(): unknown;
  write(message: unknown, callback: () => void): boolean;
  on(event: string, listener: () => void): unknown;
  readonly readableEnded: boolean;
};

/** grpc-js's stream of one call under a MessageStream, and how the call is ended. */
export class CallStream<In, Out> implements MessageStream<In, Out> {
  readonly signal: AbortSignal;
  readonly #duplex: GrpcDuplex;
  readonly #malformed: (why: string) => Error;
  readonly #controller = new AbortController();
  readonly #waiting = new Set<() => void>();
  #unsentCount = 0;
  #reading = false;
  #finished = false;

  /**
   * @param malformed  what `read` throws for bytes that are no message
   */
  constructor(duplex: GrpcDuplex, malformed: (why: string) => Error) {
    this.#duplex = duplex;
    this.#malformed = malformed;
    this.signal = this.#controller.signal;
    // Any number of waits may hang on a long stream; Node would take more than ten for a leak.
    setMaxListeners(0, this.signal);
  }

  /** Ends the call for both directions: messages already received can be read, then everything throws the reason. */
  fail(reason: Error): void {
    if (!this.signal.aborted) this.#controller.abort(reason);
    this.#wake();
  }

  /** Ends the call well: what was received can be read to its end; writing throws the reason. */
  finish(reason: Error): void {
    this.#finished = true;
    this.fail(reason);
  }

  async read(): Promise<In | undefined> {
    this.startReading();
    for (;;) {
      const next = this.#duplex.read() as Decoded<In> | null;
      if (next !== null) {
        if ("message" in next) return next.message;
        throw this.#malformed(next.malformed);
      }
      if (this.#finished || this.#duplex.readableEnded) return undefined;
      this.signal.throwIfAborted();
      await this.#change();
    }
  }

  async write(message: Out): Promise<void> {
    while (this.#unsentCount >= MAX_UNSENT_MESSAGES && !this.signal.aborted) await this.#change();
    this.signal.throwIfAborted();
    this.#unsentCount += 1;
    this.#duplex.write(message, () => {
      this.#unsentCount -= 1;
      this.#wake();
    });
    while (this.#unsentCount >= MAX_UNSENT_MESSAGES && !this.signal.aborted) await this.#change();
  }

  /** Resolves when everything written is on its way. @throws the reason why the call ended */
  async flush(): Promise<void> {
    while (this.#unsentCount > 0 && !this.signal.aborted) await this.#change();
    this.signal.throwIfAborted();
  }

  /**
   * Lets grpc-js read, 16 messages ahead at most. A listener does so at the first `read`: until then flow control
   * holds the peer back. A caller does so at once, since grpc-js's client without a reader hoards all that comes.
   */
  startReading(): void {
    if (this.#reading) return;
    this.#reading = true;
    for (const event of ["readable", "end", "close"]) this.#duplex.on(event, () => this.#wake());
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}
