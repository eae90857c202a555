/** Every limit of connections and calls, in one place. Sizes that other folders share are in base/limits.ts. */
import { MIB } from "../base/limits.ts";

/** From TCP accept to HTTP/2, with all evidence in between; clients give a listener as long. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** From the start of a call to its first message. */
export const FIRST_MESSAGE_TIMEOUT_MS = 10_000;
/** Without a chunk, or without a chunk being taken, an upload or download loses its place. */
export const CHUNK_TIMEOUT_MS = 30_000;
/** The average below which an upload or download loses its place; what a member with 1 Mbit/s reaches. */
export const MIN_BYTES_PER_SECOND = 100 * 1024;
/** From our last word on a call until its stream is reset, should the peer not take it or not stop sending. */
export const CALL_LINGER_MS = 30_000;
/** A peer without a certificate joins and leaves. */
export const MAX_JOINING_CONNECTION_MS = 60_000;
/** How long a unary call may take where its caller does not say. */
export const UNARY_TIMEOUT_MS = 30_000;

/** HTTP/2 window of a stream, and of a member's connection: what one member can make us buffer. */
export const WINDOW_BYTES = 8 * MIB;
/** Calls at one time on one connection. */
export const MAX_CONCURRENT_STREAMS = 64;
/** HTTP/2 headers of one call. */
export const MAX_HEADER_LIST_BYTES = 16 * 1024;
/** DATA frames until a message is whole: frames of a byte each cost a hundred times their size in memory. */
export const MAX_FRAMES_PER_MESSAGE = 2048;
/** Messages handed to a stream that the peer has not taken yet; a further write waits. */
export const MAX_UNSENT_MESSAGES = 2;

/** An idle connection is asked for a sign of life this often, from both ends, … */
export const KEEPALIVE_INTERVAL_MS = 30_000;
/** … and dropped this long after a question without an answer. */
export const KEEPALIVE_TIMEOUT_MS = 20_000;
/** Wait between attempts to connect: grows from the first to the second. */
export const MIN_RECONNECT_MS = 200;
export const MAX_RECONNECT_MS = 5_000;

/** Refusals of one failed call, as they travel in the trailer. */
export const MAX_TRAILER_BYTES = 4096;
/** Status text of one failed call. */
export const MAX_STATUS_TEXT_LENGTH = 1024;

/** How many connections a listener holds at one time. */
export type ConnectionLimits = {
  /** Of all kinds. */
  readonly total: number;
  /** Not yet known: TCP accepted, verdict open. */
  readonly unverified: number;
  readonly unverifiedPerAddress: number;
  /** Peers without a certificate of the federation. */
  readonly joining: number;
  readonly joiningPerAddress: number;
  /** Of one member's key. */
  readonly perMember: number;
};

/** What listeners hold where a test does not say otherwise. */
export const CONNECTION_LIMITS: ConnectionLimits = {
  total: 20_000,
  unverified: 1024,
  unverifiedPerAddress: 256,
  joining: 1024,
  joiningPerAddress: 64,
  perMember: 64,
};
