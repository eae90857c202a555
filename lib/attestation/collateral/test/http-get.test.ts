import { createServer } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../../base/clock.ts";
import { fakeClock } from "../../../base/testing/fake-clock.ts";
import type { CollateralError } from "../collateral-error.ts";
import { type HttpAnswer, type HttpRequest, httpGet } from "../http-get.ts";
import { startVendorServer, testIdentity, type VendorServer } from "../testing/vendor-server.ts";
import type { TlsTrust } from "../tls-trust.ts";

const identity = testIdentity("pccs.example");
const other = testIdentity("pccs.example");
let plain: VendorServer;
let secure: VendorServer;

beforeAll(async () => {
  plain = await startVendorServer();
  secure = await startVendorServer(identity);
});
afterAll(async () => {
  await plain.close();
  await secure.close();
});

const request = (url: string, tls?: TlsTrust): HttpRequest => ({
  url: new URL(url),
  what: "TCB info",
  maxBytes: 1000,
  timeoutMs: 5000,
  ...(tls === undefined ? {} : { tls }),
});
const ask = (url: string, tls?: TlsTrust): Promise<HttpAnswer> =>
  httpGet(systemClock())(request(url, tls));
const failure = (asked: Promise<unknown>): Promise<CollateralError> =>
  asked.then(
    () => expect.unreachable("an answer was taken"),
    (error: CollateralError) => error,
  );

test("status, headers in any case and the exact bytes come back", async () => {
  plain.reply("/a", { status: 418, headers: { "X-Chain": "a%20b" }, body: Uint8Array.of(0, 255) });
  const answer = await ask(`${plain.url}/a?b=c`);
  expect(answer.status).toBe(418);
  expect(answer.header("x-chain")).toBe("a%20b");
  expect(answer.header("x-other")).toBeUndefined();
  expect(answer.body).toEqual(Uint8Array.of(0, 255));
  expect(plain.requests).toContain("/a?b=c");
});

test("a header that is sent twice counts for none", async () => {
  plain.reply("/twice", (response) => {
    response.writeHead(200, [
      ["x-chain", "one"],
      ["x-chain", "two"],
    ]);
    response.end();
  });
  expect((await ask(`${plain.url}/twice`)).header("x-chain")).toBeUndefined();
});

test("a redirect is an answer, nothing is followed", async () => {
  plain.reply("/moved", { status: 302, headers: { location: `${plain.url}/trap` } });
  expect((await ask(`${plain.url}/moved`)).status).toBe(302);
  expect(plain.requests).not.toContain("/trap");
});

test("no subscription key and no compression are asked for", async () => {
  await ask(`${plain.url}/a`);
  expect(Object.keys(plain.headers())).not.toContain("ocp-apim-subscription-key");
  expect(plain.headers()["accept-encoding"]).toBe("identity");
});

test("a body of the limit is read, one byte more is refused, declared or not", async () => {
  plain.reply("/limit", { body: "x".repeat(1000) });
  expect((await ask(`${plain.url}/limit`)).body.byteLength).toBe(1000);
  plain.reply("/declared", { headers: { "content-length": "1001" }, body: "x".repeat(1001) });
  plain.reply("/streamed", (response) => {
    for (let piece = 0; piece < 1001; piece += 1) response.write("x");
    response.end();
  });
  for (const path of ["/declared", "/streamed"]) {
    const error = await failure(ask(plain.url + path));
    expect(error.code).toBe("bad-response");
    expect(error.message).toMatch(/^TCB info: the answer of .* is longer than 1000 bytes; check/);
  }
});

test("an endless body is left at the limit", async () => {
  plain.reply("/endless", (response) => {
    const pump = (): void => {
      while (!response.destroyed && response.write("x".repeat(500)));
      response.once("drain", pump);
    };
    pump();
  });
  expect((await failure(ask(`${plain.url}/endless`))).code).toBe("bad-response");
});

test("a body that stops half-way is given up at the deadline, not waited for", async () => {
  const clock = fakeClock();
  const started = new Promise<void>((resolve) => {
    plain.reply("/slow", (response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("half");
      resolve();
    });
  });
  const error = failure(httpGet(clock)(request(`${plain.url}/slow`)));
  await started;
  await clock.advance(4999);
  expect(clock.timerCount()).toBe(1);
  await clock.advance(1);
  expect((await error).code).toBe("unreachable");
  expect((await error).message).toMatch(/gave no whole answer in 5000 ms; check the address/);
});

test("no timer is left after an answer or a failure", async () => {
  const clock = fakeClock();
  await httpGet(clock)(request(`${plain.url}/a`));
  plain.reply("/cut", (response) => response.destroy());
  await failure(httpGet(clock)(request(`${plain.url}/cut`)));
  expect(clock.timerCount()).toBe(0);
});

test("a connection that breaks before or within the answer is no answer", async () => {
  plain.reply("/cut", (response) => response.destroy());
  plain.reply("/short", (response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("half", () => response.destroy());
  });
  for (const path of ["/cut", "/short"]) {
    expect((await failure(ask(plain.url + path))).code).toBe("unreachable");
  }
});

test("nobody listening, and somebody who does not speak HTTP, are unreachable", async () => {
  const gone = await startVendorServer();
  await gone.close();
  const refused = await failure(ask(gone.url));
  expect(refused.code).toBe("unreachable");
  expect(refused.message).toMatch(/ECONNREFUSED.*; check the address .* or use a bundle file$/);

  const ssh = createServer((socket) => socket.end("SSH-2.0-OpenSSH_9.6\r\n"));
  await new Promise<void>((resolve) => ssh.listen(0, "127.0.0.1", resolve));
  const { port } = ssh.address() as { port: number };
  expect((await failure(ask(`http://127.0.0.1:${port}`))).code).toBe("unreachable");
  ssh.close();
});

test.each(["another name", "its name"])(
  "a self-signed server is believed by its own certificate, under %s",
  async (which) => {
    const own = which === "its name" ? testIdentity("localhost") : identity;
    const server = await startVendorServer(own);
    server.reply("/a", { body: "ok" });
    const url = server.url.replace("127.0.0.1", "localhost");
    const answer = await ask(`${url}/a`, { certificates: [testIdentity("a CA").cert, own.cert] });
    expect(Buffer.from(answer.body).toString()).toBe("ok");
    expect(server.requests).toEqual(["/a"]);
    await server.close();
  },
);

test("a server whose CA is configured must have the name in the URL", async () => {
  const authority = testIdentity("a CA");
  const issued = testIdentity("pccs.example", authority);
  const server = await startVendorServer(issued);
  const error = await failure(ask(`${server.url}/a`, { certificates: [authority.cert] }));
  expect(error.code).toBe("untrusted-server");
  expect(error.message).toMatch(/ALTNAME_INVALID.*must have the name in the URL/);
  await server.close();

  const named = await startVendorServer(testIdentity("localhost", authority));
  named.reply("/a", { body: "ok" });
  const url = named.url.replace("127.0.0.1", "localhost");
  expect((await ask(`${url}/a`, { certificates: [authority.cert] })).status).toBe(200);
  await named.close();
});

test.each<[string, TlsTrust | undefined, RegExp]>([
  ["without configuration", undefined, /SELF_SIGNED.*configure the PEM file/],
  [
    "by another certificate of the same name",
    { certificates: [other.cert] },
    /\(.+\); compare it with the configured PEM file/,
  ],
  ["by no certificate at all", { certificates: [] }, /compare it with the configured PEM file/],
  ["by a file that is no PEM", { certificates: ["hello"] }, /compare it with the configured PEM/],
])("a self-signed server is not believed %s", async (_how, tls, message) => {
  const error = await failure(ask(`${secure.url}/a`, tls));
  expect(error.code).toBe("untrusted-server");
  expect(error.message).toMatch(message);
  expect(secure.requests).toEqual([]);
});
