/** Asking a vendor's service for one object, and what its refusals mean to whoever runs this. */
import { EvidenceError } from "../evidence-error.ts";
import { CollateralError } from "./collateral-error.ts";
import type { HttpAnswer, HttpGet } from "./http-get.ts";
import type { TlsTrust } from "./tls-trust.ts";

/** One object, from first byte asked to last byte read; PCCS may have to ask Intel first. */
export const OBJECT_TIMEOUT_MS = 20_000;
/** One object; the largest are revocation lists and TCB info, tens of KiB each. */
const MAX_OBJECT_BYTES = 1024 * 1024;

/** A service and how to reach it. */
export type Service = {
  /** "Intel's PCS", "the PCCS": for messages. */
  readonly name: string;
  readonly base: URL;
  readonly tls?: TlsTrust;
};

/** An object that a service has under a path. */
export type ObjectPlace = {
  /** "TCB info of SGX platform 00906ed50000". */
  readonly what: string;
  /** Below the service's base, with its query. */
  readonly path: string;
  /** What 404 says: the platform is not known, or the object is not there at all. */
  readonly absent: "unknown-platform" | "not-served";
};

/**
 * Reads the address of a service.
 * @param text  http: or https:, with or without a path; without query, fragment and credentials
 * @param ending  what people copy from other configurations though it belongs to the object: it is taken off
 * @throws CollateralError "bad-address"
 */
export function serviceAddress(text: string, ending?: RegExp): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url !== undefined && url.search + url.hash + url.username + url.password === "";
  if (!plain || !/^https?:$/.test(url.protocol)) {
    const message = `the address "${text}" is not a plain http(s) URL; write it as https://host:port`;
    throw new CollateralError("bad-address", message);
  }
  const path = url.pathname.replace(/\/*$/, "/");
  return new URL(ending === undefined ? path : path.replace(ending, "/"), url);
}

/**
 * The object as the service serves it.
 * @param read  parses the answer; its EvidenceError becomes "bad-response"
 * @throws CollateralError
 */
export async function fetchObject<T>(
  get: HttpGet,
  service: Service,
  place: ObjectPlace,
  read: (answer: HttpAnswer) => T,
): Promise<T> {
  const url = new URL(place.path, service.base);
  const answer = await get({
    url,
    what: place.what,
    maxBytes: MAX_OBJECT_BYTES,
    timeoutMs: OBJECT_TIMEOUT_MS,
    ...(service.tls === undefined ? {} : { tls: service.tls }),
  });
  if (answer.status !== 200) throw refusedBy(service, place, answer.status);
  try {
    return read(answer);
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    const message = `${place.what}: ${service.name} (${url.host}) did not answer with it (${cause.message}); check that the address is that of the service`;
    throw new CollateralError("bad-response", message, { cause });
  }
}

/** Of PCCS: the platform is not in its cache. */
const PLATFORM_NOT_CACHED = 461;

function refusedBy(
  { name, base }: Service,
  { what, absent }: ObjectPlace,
  status: number,
): CollateralError {
  const who = `${name} (${base.host})`;
  if (status === 404 || status === PLATFORM_NOT_CACHED) {
    const remedy =
      absent === "unknown-platform"
        ? "compare the platform's identity; a cache that is filled by hand must be given this platform first"
        : "check that the address is that of the service and its version is current";
    return new CollateralError(absent, `${what}: ${who} does not have it (${status}); ${remedy}`);
  }
  if (status === 410) {
    const message = `${what}: ${who} no longer serves it (410); upgrade the cache, or ask the vendor's own service`;
    return new CollateralError("not-served", message);
  }
  const remedy =
    status >= 300 && status < 400
      ? "redirects are not followed: configure the address it moved to"
      : status === 401 || status === 403
        ? "it wants credentials, which this client does not have: use one that serves endorsements openly"
        : "check that the address is that of the service and its version is current";
  return new CollateralError("bad-response", `${what}: ${who} answered ${status}; ${remedy}`);
}
