/** How a failed call looks on the wire: gRPC status, text for people, and every refusal in a trailer. */
import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { fedclave } from "../../proto/generated/fedclave.js";
import {
  CodedError,
  describeRefusals,
  printable,
  type Refusal,
  RefusedError,
  refusal,
} from "../base/refusal.ts";
import { MAX_STATUS_TEXT_LENGTH, MAX_TRAILER_BYTES } from "./limits.ts";
import type { StatusTable } from "./status-table.ts";
import { TransportError } from "./transport-error.ts";
import { readRefusals } from "./wire-fields.ts";

const { Refusals } = fedclave.v1;

/** A `Refusals` message; only calls that failed have it. */
export const REFUSALS_TRAILER = "fedclave-refusals-bin";

/** What a peer may learn of an error, or undefined if it must learn nothing but that there was one. */
function publicRefusals(error: unknown, statuses: StatusTable): readonly Refusal[] | undefined {
  if (error instanceof RefusedError && error.refusals.length > 0) return error.refusals;
  // The message of a coded error is for our own log; its code goes out only where a row says so.
  if (error instanceof CodedError && error.code in statuses) return [refusal(error.code, "", "")];
  return undefined;
}

/**
 * The status a call ends with. Errors that are neither refusals nor in the table become INTERNAL without detail.
 * @returns the status, and whether the error was of the kind that only our log may explain
 */
export function failureStatus(
  error: unknown,
  statuses: StatusTable,
): { readonly status: StatusObject; readonly internal: boolean } {
  const refusals = publicRefusals(error, statuses)?.map(({ code, seen, wanted }) => ({
    code: printable(code),
    seen: printable(seen),
    wanted: printable(wanted),
  }));
  const metadata = new Metadata();
  if (refusals === undefined) {
    return { status: { code: status.INTERNAL, details: "internal", metadata }, internal: true };
  }
  metadata.set(REFUSALS_TRAILER, encodeRefusals(refusals));
  const code = statuses[refusals[0]?.code ?? ""] ?? status.FAILED_PRECONDITION;
  const details = describeRefusals(refusals).slice(0, MAX_STATUS_TEXT_LENGTH);
  // The cut may have split a surrogate pair, on which grpc-js would fail.
  return {
    status: { code, details: details.replace(/\p{Surrogate}/gu, "�"), metadata },
    internal: false,
  };
}

/**
 * The error a caller gets for a call that did not end well.
 * @param received  the status as the peer or grpc-js made it
 */
export function failureOf(received: StatusObject, calling: string): RefusedError | TransportError {
  const refusals = decodeRefusals(received.metadata?.get(REFUSALS_TRAILER)[0]);
  if (refusals.length > 0) return new RefusedError(...refusals);
  const seen = `${status[received.code] ?? received.code}: ${printable(received.details)}`;
  switch (received.code) {
    case status.UNAVAILABLE:
      return new TransportError(
        "closed",
        `${calling}: the connection was lost (${seen}); try again`,
      );
    case status.CANCELLED:
      return new TransportError("closed", `${calling}: the call was cut off (${seen})`);
    case status.UNIMPLEMENTED:
      return new TransportError(
        "failed",
        `${calling}: the peer does not offer this call; is it the right role, and of a version that fits?`,
      );
    default:
      return new TransportError("failed", `${calling}: the peer failed (${seen}); see its log`);
  }
}

function encodeRefusals(refusals: readonly Refusal[]): Buffer {
  for (let count = refusals.length; ; count -= 1) {
    const bytes = Refusals.encode({ refusals: refusals.slice(0, count) }).finish();
    if (bytes.byteLength <= MAX_TRAILER_BYTES || count <= 1) return Buffer.from(bytes);
  }
}

function decodeRefusals(trailer: string | Buffer | undefined): readonly Refusal[] {
  if (!(trailer instanceof Buffer) || trailer.byteLength > MAX_TRAILER_BYTES) return [];
  try {
    return readRefusals(Refusals.decode(trailer).refusals);
  } catch {
    return [];
  }
}
