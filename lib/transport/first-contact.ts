/**
 * The step between TLS and HTTP/2, on both ends. Today it exchanges nothing; evidence frames (DESIGN §3) will be
 * sent and read here, so that no role and no rpc needs to know of them.
 */
import type { TLSSocket } from "node:tls";
import { assertInvariant } from "../base/refusal.ts";

/**
 * @param socket  TLS is established, the peer's key proved; nothing has been read. Bytes read too far are `unshift`ed.
 * @returns when HTTP/2 may start; a rejection closes the connection
 */
export type FirstContact = (socket: TLSSocket, end: "listener" | "connector") => Promise<void>;

/** Nothing between TLS and HTTP/2: peers are known by their certificates alone. */
export const plainFirstContact: FirstContact = async () => {};

/**
 * Runs first contact and makes sure that the socket can be given to HTTP/2: Node aborts the whole process if a
 * write is still on its way then.
 */
export async function meet(
  firstContact: FirstContact,
  socket: TLSSocket,
  end: "listener" | "connector",
): Promise<void> {
  await firstContact(socket, end);
  assertInvariant(socket.writableLength === 0, "first contact awaited its writes");
}
