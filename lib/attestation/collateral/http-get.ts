/** One GET: bounded in time and size, no redirects, no cookies, no connection kept. What it brings is hostile. */
import type { ClientRequest, IncomingMessage } from "node:http";
import * as http from "node:http";
import * as https from "node:https";
import { concatBytes } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { describeError } from "../../base/log.ts";
import { CollateralError } from "./collateral-error.ts";

/** Headers of one answer; PCS sends certificate chains in them, about 3 KiB each. */
const MAX_HEADER_BYTES = 64 * 1024;

/** Whom a TLS connection believes. There is no way to say "anybody". */
export type TlsTrust = {
  /** PEM certificates that stand in for the system's roots: a PCCS's own certificate, or the CA that issued it. */
  readonly certificates: readonly string[];
  /** The name in the server's certificate, where the address in the URL is another one. */
  readonly serverName?: string;
};

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
  return (request) =>
    new Promise((resolve, reject) => {
      const { url, what, timeoutMs } = request;
      const fail = (error: CollateralError): void => {
        cancelDeadline();
        exchange.destroy();
        reject(error);
      };
      const exchange = open(request);
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

function open({ url, tls }: HttpRequest): ClientRequest {
  const options = {
    // No pool: a resumed TLS session would not have its certificate looked at again.
    agent: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    headers: { accept: "*/*", "accept-encoding": "identity", "user-agent": "fedclave" },
  };
  if (url.protocol === "http:") return http.request(url, options);
  return https.request(url, {
    ...options,
    minVersion: "TLSv1.2",
    rejectUnauthorized: true,
    ...(tls === undefined ? {} : { ca: [...tls.certificates] }),
    ...(tls?.serverName === undefined ? {} : { servername: tls.serverName }),
  });
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

/** Codes that OpenSSL and Node give for a certificate; all others are about the way there. */
const CERTIFICATE_FAULT =
  /^(?:ERR_TLS_CERT_ALTNAME_INVALID|CERT_.+|UNABLE_TO_.+|.*SELF_SIGNED_CERT.*|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED)$/;

function connectionError({ what, url, tls }: HttpRequest, cause: Error): CollateralError {
  const code = "code" in cause ? String(cause.code) : "";
  if (!CERTIFICATE_FAULT.test(code)) {
    return unreachable(what, url, `${url.host} cannot be reached: ${describeError(cause)}`, cause);
  }
  const remedy =
    tls === undefined
      ? "if it is a cache of your own, configure the PEM file of its certificate or of its CA"
      : "compare it with the configured PEM file, and its name with the URL's (or configure the server name)";
  return new CollateralError(
    "untrusted-server",
    `${what}: the certificate of ${url.host} is not trusted (${code}); ${remedy}`,
    { cause },
  );
}

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
