import type { Handlers } from "../listen.ts";
import { RPC_NAMES, RPCS } from "../rpcs.ts";
import type { AnyHandler } from "../serve-call.ts";

/** What a stub answers on every rpc: an empty message for each it reads. */
const ANSWERS: { readonly [kind in AnyHandler["kind"]]: AnyHandler["handle"] } = {
  unary: async () => ({}),
  "server-stream": async (_request, _peer, stream) => {
    await (stream as { write(message: unknown): Promise<void> }).write({});
  },
  bidi: async (given) => {
    const stream = given as { read(): Promise<unknown>; write(message: unknown): Promise<void> };
    while ((await stream.read()) !== undefined) await stream.write({});
  },
};

/** A handler for every rpc of the table, callable by everyone the table allows. */
export function stubHandlers(): Handlers {
  return Object.fromEntries(
    RPC_NAMES.map((name) => {
      const { kind, callers } = RPCS[name];
      return [name, { callers, handle: ANSWERS[kind] }];
    }),
  ) as Handlers;
}
