/** One GET: bounded in time and size, no redirects, no cookies, no connection kept. What it brings is hostile. */
import type { ClientRequest, IncomingMessage } from "node:http";
import * as http from "node:http";
import * as https from "node:https";
import { concatBytes } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { describeError } from "../../base/log.ts";
import { CollateralError } from "./collateral-error.ts";
import { knownDespiteItsName, type TlsTrust, tlsOptions, untrustedServer } from "./tls-trust.ts";

/** Headers of one answer; PCS sends certificate chains in them, about 3 KiB each. */
const MAX_HEADER_BYTES = 64 * 1024;

/** One thing to ask for, with its limits. */
export type HttpRequest = {
  /** http: or https: */
  readonly url: URL;
  /** What is asked for, to begin a message: "TCB info of SGX platform 00906ed50000". */
  readonly what: string;
  /** Of the body. */
  readonly maxBytes: number;
  /** From asking to the last byte. */
  readonly timeoutMs: number;
  /** The system's roots if unset. */
  readonly tls?: TlsTrust;
};

/** Any status: what it means is for the caller to say. */
export type HttpAnswer = {
  readonly status: number;
  /** Value of a header, by its name in lower case. */
  readonly header: (name: string) => string | undefined;
  readonly body: Uint8Array;
};

/** @throws CollateralError "unreachable" | "untrusted-server" | "bad-response" */
export type HttpGet = (request: HttpRequest) => Promise<HttpAnswer>;

/** Asks over the network; deadlines are kept on the given clock. */
export function httpGet(clock: Clock): HttpGet {
  return async (request) => {
    try {
      return await exchangeOnce(clock, request);
    } catch (error) {
      const known = knownDespiteItsName(error, request.tls);
      if (known === undefined) throw error;
      return exchangeOnce(clock, request, known);
    }
  };
}

function exchangeOnce(clock: Clock, request: HttpRequest, known?: Uint8Array): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const { url, what, timeoutMs } = request;
    const fail = (error: CollateralError): void => {
      cancelDeadline();
      exchange.destroy();
      reject(error);
    };
    const exchange = open(request, known);
    const cancelDeadline = clock.after(timeoutMs, () =>
      fail(unreachable(what, url, `${url.host} gave no whole answer in ${timeoutMs} ms`)),
    );
    exchange.on("error", (cause) => fail(connectionError(request, cause)));
    exchange.on("response", (response) => {
      readBody(response, request, fail, (body) => {
        cancelDeadline();
        resolve({
          status: response.statusCode ?? 0,
          header: (name) => headerOf(response, name),
          body,
        });
      });
    });
    exchange.end();
  });
}

function open({ url, tls }: HttpRequest, known: Uint8Array | undefined): ClientRequest {
  const options = {
    // No pool: a resumed TLS session would not have its certificate looked at again.
    agent: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    headers: { accept: "*/*", "accept-encoding": "identity", "user-agent": "fedclave" },
  };
  return url.protocol === "http:"
    ? http.request(url, options)
    : https.request(url, { ...options, ...tlsOptions(tls, known) });
}

function readBody(
  response: IncomingMessage,
  { what, url, maxBytes }: HttpRequest,
  fail: (error: CollateralError) => void,
  done: (body: Uint8Array) => void,
): void {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  response.on("data", (chunk: Uint8Array) => {
    sizeBytes += chunk.byteLength;
    if (sizeBytes <= maxBytes) chunks.push(chunk);
    else fail(tooLarge(what, url, maxBytes));
  });
  response.on("error", (cause) =>
    fail(unreachable(what, url, `${url.host} broke off its answer`, cause)),
  );
  response.on("end", () => {
    if (sizeBytes <= maxBytes) done(concatBytes(...chunks));
  });
}

/** A header that is sent twice has no one meaning. */
function headerOf(response: IncomingMessage, name: string): string | undefined {
  const values = response.headersDistinct[name];
  return values?.length === 1 ? values[0] : undefined;
}

const connectionError = ({ what, url, tls }: HttpRequest, cause: Error): CollateralError =>
  untrustedServer(what, url.host, tls, cause) ??
  unreachable(what, url, `${url.host} cannot be reached: ${describeError(cause)}`, cause);

const unreachable = (what: string, url: URL, reason: string, cause?: unknown): CollateralError =>
  new CollateralError(
    "unreachable",
    `${what}: ${reason}; check the address ${url.origin} and the network, or use a bundle file`,
    { cause },
  );

const tooLarge = (what: string, url: URL, maxBytes: number): CollateralError =>
  new CollateralError(
    "bad-response",
    `${what}: the answer of ${url.host} is longer than ${maxBytes} bytes; check that the address is that of the service`,
  );
