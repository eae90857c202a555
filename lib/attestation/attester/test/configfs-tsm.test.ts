import { expect, test } from "vitest";
import { utf8 } from "../../../base/bytes.ts";
import type { Randomness } from "../../../base/randomness.ts";
import type { Attester, AttesterError } from "../attester.ts";
import type { TsmPlace } from "../configfs-tsm.ts";
import type { DeviceFiles, DeviceHandle } from "../device-file.ts";
import { sevSnpAttester } from "../sev-snp.ts";
import { tdxAttester } from "../tdx.ts";
import { bareSgxQuote, bareSnpReport, bareTdxQuote } from "../testing/bare-evidence.ts";
import { certificateTable, GUID } from "../testing/certificate-table-writer.ts";
import {
  type FakeConfigfs,
  type FakeConfigfsSettings,
  fakeConfigfs,
} from "../testing/fake-configfs.ts";
import { systemError } from "../testing/fake-device.ts";

const NONE = new Uint8Array();
const dataOf = (byte: number): Uint8Array => new Uint8Array(64).fill(byte);
const CERTIFICATES = ["vcek", "ask", "ark"].map(utf8);
const [VCEK = NONE, ASK = NONE, ARK = NONE] = CERTIFICATES;

const tdx: FakeConfigfsSettings = {
  provider: "tdx_guest",
  report: (inblob) => ({ outblob: bareTdxQuote(inblob), auxblob: NONE }),
};
const snp: FakeConfigfsSettings = {
  provider: "sev_guest",
  report: (inblob) => ({
    outblob: bareSnpReport(inblob),
    auxblob: certificateTable([GUID.ark, ARK], [GUID.vcek, VCEK], [GUID.ask, ASK]),
  }),
};

function counter(): Randomness {
  let count = 0;
  return {
    bytes: (sizeBytes) => {
      count += 1;
      return new Uint8Array(sizeBytes).fill(count);
    },
  };
}
const placeOf = (files: FakeConfigfs): TsmPlace => ({ files, randomness: counter() });
const failure = (asked: Promise<unknown>): Promise<AttesterError> =>
  asked.then(
    () => expect.unreachable("evidence was given"),
    (error: AttesterError) => error,
  );

test("a TD gets a quote over its report data; folder and files are gone afterwards", async () => {
  const files = fakeConfigfs(tdx);
  const evidence = await tdxAttester(placeOf(files)).attest(dataOf(7));
  expect(evidence).toEqual({ kind: "dcap-quote", bytes: bareTdxQuote(dataOf(7)) });
  expect(files.made).toEqual(["/sys/kernel/config/tsm/report/fedclave-0101010101010101"]);
  expect([files.entries(), files.openCount()]).toEqual([[], 0]);
});

test("a quote of version 5 is one too", async () => {
  const files = fakeConfigfs({
    ...tdx,
    report: (inblob) => ({ outblob: bareTdxQuote(inblob, 5), auxblob: NONE }),
  });
  const { bytes } = await tdxAttester(placeOf(files)).attest(dataOf(7));
  expect(bytes).toEqual(bareTdxQuote(dataOf(7), 5));
});

test("an SNP guest gets a report and the host's certificates, leaf first", async () => {
  const files = fakeConfigfs(snp);
  expect(await sevSnpAttester({ place: placeOf(files) }).attest(dataOf(7))).toEqual({
    kind: "snp-report",
    bytes: bareSnpReport(dataOf(7)),
    certificates: CERTIFICATES,
  });
  expect([files.entries(), files.openCount()]).toEqual([[], 0]);
});

test("a host that gives no certificates is no trouble", async () => {
  const files = fakeConfigfs({
    ...snp,
    report: (inblob) => ({ outblob: bareSnpReport(inblob), auxblob: NONE }),
  });
  const evidence = await sevSnpAttester({ place: placeOf(files) }).attest(dataOf(7));
  expect(evidence).toMatchObject({ certificates: [] });
});

test("a privilege level is reported where one is asked for", async () => {
  const levels: number[] = [];
  const files = fakeConfigfs({
    ...snp,
    privilegeFloor: 1,
    report: (inblob, level) => {
      levels.push(level);
      return snp.report(inblob, level);
    },
  });
  await sevSnpAttester({ place: placeOf(files) }).attest(dataOf(1));
  await sevSnpAttester({ vmpl: 3, place: placeOf(files) }).attest(dataOf(1));
  expect(levels).toEqual([1, 3]);
  const error = await failure(sevSnpAttester({ vmpl: 0, place: placeOf(files) }).attest(dataOf(1)));
  expect(error.message).toMatch(
    /EINVAL.*; the kernel took no report data, or refused the privilege level/,
  );
  expect(files.entries()).toEqual([]);
});

test("many at once are answered in order, each in a folder of its own", async () => {
  const files = fakeConfigfs(tdx);
  const attester = tdxAttester(placeOf(files));
  const asked = Array.from({ length: 10 }, (_, index) => attester.attest(dataOf(index)));
  const quotes = (await Promise.all(asked)).map(({ bytes }) => bytes);
  expect(quotes).toEqual(asked.map((_, index) => bareTdxQuote(dataOf(index))));
  expect(new Set(files.made).size).toBe(10);
});

const failing =
  (code: string): FakeConfigfsSettings["report"] =>
  () => {
    throw systemError(code, "read");
  };
const byTdx = (place: TsmPlace): Attester => tdxAttester(place);
const bySnp = (place: TsmPlace): Attester => sevSnpAttester({ place });

test.each<[string, (place: TsmPlace) => Attester, FakeConfigfsSettings, string, RegExp]>([
  [
    "without a driver behind the interface",
    byTdx,
    { ...tdx, provider: undefined },
    "not-in-tee",
    /makes no reports \(ENXIO\): this is no TDX or SEV-SNP guest/,
  ],
  ["in the other kind of guest", byTdx, snp, "not-in-tee", /by sev_guest, not by tdx_guest/],
  ["in the other kind of guest", bySnp, tdx, "not-in-tee", /by tdx_guest, not by sev_guest/],
  [
    "when the quote service does not answer",
    byTdx,
    { ...tdx, report: failing("ETIMEDOUT") },
    "no-evidence",
    /asking tdx_guest for a report failed \(.*ETIMEDOUT.*\); look at the guest's kernel log, and on the host/,
  ],
  [
    "without the rights",
    bySnp,
    { ...snp, report: failing("EACCES") },
    "no-evidence",
    /run as root in the guest/,
  ],
  [
    "when the host's quote service is not configured: the quote is empty",
    byTdx,
    { ...tdx, report: () => ({ outblob: NONE, auxblob: NONE }) },
    "no-evidence",
    /the platform gave nothing, as when a quote service is not reachable: look at it on the host/,
  ],
  [
    "with an SGX quote",
    byTdx,
    { ...tdx, report: (inblob) => ({ outblob: bareSgxQuote(inblob), auxblob: NONE }) },
    "no-evidence",
    /quote/,
  ],
  [
    "with a report that is cut",
    bySnp,
    {
      ...snp,
      report: (inblob) => ({ outblob: bareSnpReport(inblob).subarray(1), auxblob: NONE }),
    },
    "no-evidence",
    /1184 bytes/,
  ],
  [
    "with a quote past all bounds",
    byTdx,
    { ...tdx, report: () => ({ outblob: new Uint8Array(70_000), auxblob: NONE }) },
    "no-evidence",
    /more than 65536 bytes/,
  ],
  [
    "with a quote over other bytes",
    byTdx,
    { ...tdx, report: () => ({ outblob: bareTdxQuote(dataOf(9)), auxblob: NONE }) },
    "wrong-report-data",
    /over other report data/,
  ],
  [
    "with a report over other bytes",
    bySnp,
    { ...snp, report: () => ({ outblob: bareSnpReport(dataOf(9)), auxblob: NONE }) },
    "wrong-report-data",
    /over other report data/,
  ],
  [
    "when somebody writes the same bytes into the entry: the counter shows it",
    byTdx,
    { ...tdx, meddle: (entry) => entry.write(dataOf(1)) },
    "wrong-report-data",
    /was written 2 times, not 1: another process interferes/,
  ],
  [
    "with a certificate table that points outside itself",
    bySnp,
    {
      ...snp,
      report: (inblob) => ({
        outblob: bareSnpReport(inblob),
        auxblob: certificateTable([GUID.vcek, VCEK]).subarray(0, 49),
      }),
    },
    "no-evidence",
    /the host's certificate table is malformed/,
  ],
])("no evidence is given %s", async (_when, attesterOf, settings, code, message) => {
  const files = fakeConfigfs(settings);
  const error = await failure(attesterOf(placeOf(files)).attest(dataOf(1)));
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
  expect([files.entries(), files.openCount()]).toEqual([[], 0]);
});

test("report data that the kernel drops when the file is closed is missed", async () => {
  const files = fakeConfigfs(tdx);
  const write: DeviceHandle["write"] = async (_bytes, _offset, bytesWritten) => ({ bytesWritten });
  const deaf: DeviceFiles = {
    ...files,
    open: async (file, flags) => {
      const handle = await files.open(file, flags);
      return file.endsWith("inblob") ? { ...handle, write } : handle;
    },
  };
  const error = await failure(
    tdxAttester({ files: deaf, randomness: counter() }).attest(dataOf(1)),
  );
  expect(error.message).toMatch(/EINVAL.*the kernel took no report data/);
  expect(files.entries()).toEqual([]);
});

test("without configfs there is no TEE", async () => {
  const files = fakeConfigfs(tdx);
  const error = await failure(tdxAttester({ files, folder: "/nowhere" }).attest(dataOf(1)));
  expect(error.code).toBe("not-in-tee");
  expect(error.message).toMatch(/^\/nowhere makes no reports \(ENOENT\)/);
});

test("the report data is not looked at after the call", async () => {
  const reportData = dataOf(3);
  const asked = tdxAttester(placeOf(fakeConfigfs(tdx))).attest(reportData);
  reportData.fill(0);
  expect((await asked).bytes).toEqual(bareTdxQuote(dataOf(3)));
});
