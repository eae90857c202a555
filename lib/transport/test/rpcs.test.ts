import { readdirSync } from "node:fs";
import path from "node:path";
import { loadSync } from "@grpc/proto-loader";
import { expect, test } from "vitest";
import { fedclave } from "../../../proto/generated/fedclave.js";
import { clientCodec, RPC_NAMES, RPCS, rpcPath, serverCodec } from "../rpcs.ts";
import { noise } from "../testing/hostile-client.ts";

const protoDir = path.resolve(import.meta.dirname, "../../../proto");
const sources = readdirSync(path.join(protoDir, "fedclave/v1")).map(
  (file) => `fedclave/v1/${file}`,
);
const loaded = loadSync(sources, { includeDirs: [protoDir] });

/** Every rpc of proto/, as another implementation reads the same files. */
const published = Object.values(loaded)
  .filter((entry) => !("format" in entry))
  .flatMap((service) => Object.values(service))
  .map(({ path, requestStream, responseStream, requestType, responseType }) => ({
    path,
    requestStream,
    responseStream,
    request: requestType.type as { name: string },
    response: responseType.type as { name: string },
  }));

test("the table holds every rpc of proto/ and no other", () => {
  expect(RPC_NAMES.map(rpcPath).sort()).toEqual(published.map(({ path }) => path).sort());
});

test.each(RPC_NAMES)("%s streams and carries messages as proto/ says", (name) => {
  const theirs = published.find((each) => each.path === rpcPath(name))!;
  const { kind, request, response, callers } = RPCS[name];
  expect(theirs.requestStream).toBe(kind === "bidi");
  expect(theirs.responseStream).toBe(kind !== "unary");
  expect((request as unknown as { name: string }).name).toBe(theirs.request.name);
  expect((response as unknown as { name: string }).name).toBe(theirs.response.name);
  expect(callers.length).toBeGreaterThan(0);
});

test("nobody but a joining peer's own rpc is open to joining peers", () => {
  expect(RPC_NAMES.filter((name) => RPCS[name].callers.includes("joining"))).toEqual([
    "Provisioning.Join",
  ]);
});

test.each([0, 1, 127, 128, 16_383, 16_384, 1_048_576])(
  "a chunk of %d bytes is encoded as the codec would",
  (sizeBytes) => {
    const chunk = noise(sizeBytes);
    const direct = clientCodec("Transfer.Upload").encode({ chunk });
    const frame = Buffer.alloc(direct.byteLength + 3);
    direct.copy(frame, 3);
    const expected = fedclave.v1.UploadRequest.encode({ chunk }).finish();
    expect(frame.subarray(3).equals(expected)).toBe(true);
    expect([direct.length, direct.byteLength]).toEqual([expected.length, expected.length]);
    const decoded = clientCodec("Transfer.Download").decode(expected);
    expect(decoded).toMatchObject({ message: { kind: "chunk" } });
  },
);

test("what one end encodes the other decodes, and bytes that are no message are said to be", () => {
  const bytes = clientCodec("Tasks.Attend").encode({ hello: { version: 7, assignmentEpoch: 3 } });
  const decoded = serverCodec("Tasks.Attend").decode(bytes);
  expect(decoded).toMatchObject({ message: { kind: "hello", hello: { version: 7 } } });
  for (let cut = 1; cut < bytes.byteLength; cut += 1) {
    expect(serverCodec("Tasks.Attend").decode(bytes.subarray(0, cut))).toHaveProperty("malformed");
  }
});
