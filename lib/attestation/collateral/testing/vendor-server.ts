/** A vendor's service on loopback that answers what a test tells it to. */
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import { utf8 } from "../../../base/bytes.ts";
import { certificatePem } from "../../../base/certificate.ts";
import { basicConstraints } from "../../../base/certificate-extensions.ts";
import { NAME_PART, writeCertificate } from "../../../base/certificate-writer.ts";
import { curveSigner } from "../../../base/der-signature.ts";
import { implicit, sequence } from "../../../base/der-writer.ts";
import type { UnixMs } from "../../../base/ids.ts";

/** What is answered to one request; a function drives the socket itself. */
export type Reply =
  | {
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: Uint8Array | string;
    }
  | ((response: ServerResponse) => void);

/** A server and what it was asked. */
export type VendorServer = {
  /** "http://127.0.0.1:port". */
  readonly url: string;
  /** Path and query of every request so far. */
  readonly requests: readonly string[];
  /** Headers of the latest request. */
  readonly headers: () => IncomingMessage["headers"];
  /** Replies to a path (without query): each once and the last one for ever. Unknown paths get 404. */
  readonly reply: (path: string, ...replies: readonly Reply[]) => void;
  readonly close: () => Promise<void>;
};

/** A server certificate and its key, PEM. */
export type TestIdentity = { readonly name: string; readonly key: string; readonly cert: string };

/**
 * @param name  the one name in the certificate
 * @param authority  who issues it; self-signed if unset, as PCCS makes one when it is installed
 */
export function testIdentity(name: string, authority?: TestIdentity): TestIdentity {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const nameOf = (text: string) => [{ oid: NAME_PART.commonName, text, kind: "utf8" }] as const;
  const isAuthority = authority === undefined;
  const der = writeCertificate(
    {
      serial: Uint8Array.of(1),
      issuer: nameOf(authority?.name ?? name),
      subject: nameOf(name),
      notBeforeMs: Date.UTC(2020, 0, 1) as UnixMs,
      notAfterMs: Date.UTC(2049, 0, 1) as UnixMs,
      publicKeyDer: publicKey.export({ type: "spki", format: "der" }),
      extensions: [
        basicConstraints(isAuthority ? {} : undefined),
        { oid: "2.5.29.17", critical: false, value: sequence(implicit(2, utf8(name))) },
      ],
    },
    curveSigner(authority === undefined ? privateKey : createPrivateKey(authority.key)),
  );
  const key = privateKey.export({ type: "pkcs8", format: "pem" });
  return { name, key: String(key), cert: certificatePem(der) };
}

/** Starts one. @param identity  for TLS; plain HTTP if unset */
export async function startVendorServer(identity?: TestIdentity): Promise<VendorServer> {
  const requests: string[] = [];
  const replies = new Map<string, Reply[]>();
  let headers: IncomingMessage["headers"] = {};
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const url = request.url ?? "";
    requests.push(url);
    headers = request.headers;
    const waiting = replies.get(url.split("?")[0] ?? "") ?? [{ status: 404 }];
    const reply = (waiting.length > 1 ? waiting.shift() : waiting[0]) ?? {};
    if (typeof reply === "function") return reply(response);
    response.writeHead(reply.status ?? 200, reply.headers);
    response.end(reply.body);
  };
  const options = { maxHeaderSize: 64 * 1024 };
  const server: Server =
    identity === undefined
      ? http.createServer(options, answer)
      : https.createServer({ ...options, key: identity.key, cert: identity.cert }, answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${identity === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    requests,
    headers: () => headers,
    reply: (path, ...all) => void replies.set(path, [...all]),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
