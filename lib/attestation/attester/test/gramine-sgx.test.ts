import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import type { AttesterError } from "../attester.ts";
import { gramineSgxAttester } from "../gramine-sgx.ts";
import { bareSgxQuote, bareTdxQuote } from "../testing/bare-evidence.ts";
import { systemError } from "../testing/fake-device.ts";
import { FAKE_FOLDER, type FakeGramineSettings, fakeGramine } from "../testing/fake-gramine.ts";

const dataOf = (byte: number): Uint8Array => new Uint8Array(64).fill(byte);
const good: FakeGramineSettings = { attestationType: "dcap", quote: bareSgxQuote };
const failure = (asked: Promise<unknown>): Promise<AttesterError> =>
  asked.then(
    () => expect.unreachable("evidence was given"),
    (error: AttesterError) => error,
  );

test("a quote over the report data comes back, and every file is closed", async () => {
  const device = fakeGramine(good);
  const evidence = await gramineSgxAttester(FAKE_FOLDER, device).attest(dataOf(7));
  expect(evidence).toEqual({ kind: "dcap-quote", bytes: bareSgxQuote(dataOf(7)) });
  expect(device.log).toEqual(["write user_report_data", "open quote"]);
  expect(device.openCount()).toBe(0);
});

test("many at once are answered in order, each with its own, from any number of attesters", async () => {
  const device = fakeGramine(good);
  const attesters = [1, 2, 3].map(() => gramineSgxAttester(FAKE_FOLDER, device));
  const asked = Array.from({ length: 30 }, (_, index) =>
    attesters[index % 3]!.attest(dataOf(index)),
  );
  const quotes = (await Promise.all(asked)).map(({ bytes }) => bytes);
  expect(quotes).toEqual(asked.map((_, index) => bareSgxQuote(dataOf(index))));
  expect(device.log).toEqual(asked.flatMap(() => ["write user_report_data", "open quote"]));
});

test("one that fails does not stop the next", async () => {
  let calls = 0;
  const device = fakeGramine({
    ...good,
    quote: (reportData) => {
      calls += 1;
      if (calls === 1) throw systemError("EACCES", "open");
      return bareSgxQuote(reportData);
    },
  });
  const attester = gramineSgxAttester(FAKE_FOLDER, device);
  const [first, second] = await Promise.allSettled([
    attester.attest(dataOf(1)),
    attester.attest(dataOf(2)),
  ]);
  expect([first?.status, second?.status]).toEqual(["rejected", "fulfilled"]);
  expect(device.openCount()).toBe(0);
});

test.each<[string, Partial<FakeGramineSettings>, string, RegExp]>([
  [
    "outside Gramine with SGX",
    { attestationType: undefined },
    "not-in-tee",
    /there is no \/dev\/attestation\/attestation_type: this process does not run in Gramine/,
  ],
  [
    "without remote attestation in the manifest",
    { attestationType: "none" },
    "no-evidence",
    /says "none"; set sgx\.remote_attestation = "dcap" in the manifest/,
  ],
  [
    "when AESM is down",
    {
      quote: () => {
        throw systemError("EACCES", "open");
      },
    },
    "no-evidence",
    /asking for a quote failed \(Error \(EACCES\).*look at AESM's log/,
  ],
  [
    "with an empty quote",
    { quote: () => new Uint8Array() },
    "no-evidence",
    /gave nothing, as when a quote service/,
  ],
  [
    "with a quote that is cut",
    { quote: (data) => bareSgxQuote(data).subarray(0, 300) },
    "no-evidence",
    /quote/,
  ],
  ["with a quote past all bounds", { quote: () => new Uint8Array(65_537) }, "no-evidence", /65536/],
  ["with a quote of another TEE", { quote: bareTdxQuote }, "no-evidence", /quote/],
  [
    "with a quote over other bytes",
    { quote: () => bareSgxQuote(dataOf(9)) },
    "wrong-report-data",
    /over other report data than was asked for/,
  ],
])("no evidence is given %s", async (_when, changes, code, message) => {
  const device = fakeGramine({ ...good, ...changes });
  const error = await failure(gramineSgxAttester(FAKE_FOLDER, device).attest(dataOf(1)));
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
  expect(device.openCount()).toBe(0);
});

test("somebody else who writes report data in between is found out", async () => {
  const device = fakeGramine({
    ...good,
    quote: (reportData) => bareSgxQuote(reportData.map((byte) => byte ^ 1)),
  });
  const error = await failure(gramineSgxAttester(FAKE_FOLDER, device).attest(dataOf(1)));
  expect(error.code).toBe("wrong-report-data");
});

test.each([0, 63, 65])("report data of %i bytes is a bug of ours", async (sizeBytes) => {
  const attester = gramineSgxAttester(FAKE_FOLDER, fakeGramine(good));
  await expect(attester.attest(new Uint8Array(sizeBytes))).rejects.toThrow(/invariant/);
});

test("the files may be elsewhere, and may be real ones", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "attestation-"));
  await writeFile(path.join(folder, "attestation_type"), "dcap");
  await writeFile(path.join(folder, "user_report_data"), dataOf(0));
  await writeFile(path.join(folder, "quote"), bareSgxQuote(dataOf(5)));
  const attester = gramineSgxAttester(folder);
  expect((await attester.attest(dataOf(5))).bytes).toEqual(bareSgxQuote(dataOf(5)));
  expect((await failure(attester.attest(dataOf(6)))).code).toBe("wrong-report-data");
  await rm(folder, { recursive: true });
  expect((await failure(attester.attest(dataOf(5)))).code).toBe("not-in-tee");
});
