import { describe, expect, test } from "vitest";
import { toHex } from "../../../base/bytes.ts";
import { EvidenceError } from "../../evidence-error.ts";
import { hasTestdata, readTestdataText } from "../../testing/testdata.ts";
import { parseQeIdentity } from "../qe-identity.ts";
import { parseTcbInfo } from "../tcb-info.ts";

type Json = { readonly [key: string]: unknown };

const COMPONENTS = Array.from({ length: 16 }, (_, index) => ({ svn: index }));
const MODULE = {
  mrsigner: "0b".repeat(48),
  attributes: "0000000000000001",
  attributesMask: "FFFFFFFFFFFFFFFF",
};
const VERDICT = {
  tcbDate: "2024-03-13T00:00:00Z",
  tcbStatus: "SWHardeningNeeded",
  advisoryIDs: ["INTEL-SA-00615", "INTEL-SA-00289"],
};
const SGX: Json = {
  id: "SGX",
  version: 3,
  issueDate: "2025-06-19T10:56:11Z",
  nextUpdate: "2025-07-19T10:56:11Z",
  fmspc: "00A067110000",
  pceId: "0001",
  tcbType: 0,
  tcbEvaluationDataNumber: 17,
  tcbLevels: [{ tcb: { sgxtcbcomponents: COMPONENTS, pcesvn: 13 }, ...VERDICT }],
};
const TDX: Json = {
  ...SGX,
  id: "TDX",
  tdxModule: MODULE,
  tdxModuleIdentities: [
    { id: "TDX_01", ...MODULE, tcbLevels: [{ tcb: { isvsvn: 4 }, ...VERDICT }] },
  ],
  tcbLevels: [
    {
      tcb: {
        sgxtcbcomponents: COMPONENTS,
        pcesvn: 13,
        tdxtcbcomponents: COMPONENTS.toReversed(),
      },
      ...VERDICT,
    },
  ],
};
const NAMED = Object.fromEntries(
  COMPONENTS.map(({ svn }, index) => [`sgxtcbcomp${String(index + 1).padStart(2, "0")}svn`, svn]),
);
const { id: _, ...withoutId } = SGX;
const VERSION_2: Json = {
  ...withoutId,
  version: 2,
  tcbLevels: [{ tcb: { ...NAMED, pcesvn: 13 }, tcbDate: VERDICT.tcbDate, tcbStatus: "OutOfDate" }],
};
const QE: Json = {
  id: "QE",
  version: 2,
  issueDate: "2025-06-19T10:01:18Z",
  nextUpdate: "2025-07-19T10:01:18Z",
  tcbEvaluationDataNumber: 17,
  miscselect: "01000000",
  miscselectMask: "FFFFFFFF",
  attributes: `11${"00".repeat(15)}`,
  attributesMask: `FBFFFFFFFFFFFFFF${"00".repeat(8)}`,
  mrsigner: "8C".repeat(32),
  isvprodid: 1,
  tcbLevels: [{ tcb: { isvsvn: 8 }, ...VERDICT }],
};

/** The code of the error that is thrown; undefined if none is. */
function failure(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error instanceof EvidenceError ? error.code : error;
  }
  return undefined;
}

/** The only level with another verdict or other components. */
const level = (base: Json, change: Json): Json => {
  const [first] = base.tcbLevels as readonly Json[];
  return { ...base, tcbLevels: [{ ...first, ...change }] };
};
const tcb = (base: Json, change: Json): Json => {
  const [first] = base.tcbLevels as readonly Json[];
  return level(base, { tcb: { ...(first?.tcb as Json), ...change } });
};
const without = (base: Json, key: string): Json =>
  Object.fromEntries(Object.entries(base).filter(([each]) => each !== key));

describe("TCB info", () => {
  test.each<[string, unknown]>([
    ["no object", []],
    ["null", null],
    ["version 1", { ...SGX, version: 1 }],
    ["version 4", { ...SGX, version: 4 }],
    ["a version in words", { ...SGX, version: "3" }],
    ["version 3 without an id", withoutId],
    ["another id", { ...SGX, id: "QE" }],
    ["an id in lower case", { ...SGX, id: "sgx" }],
    ["another way of comparing", { ...SGX, tcbType: 1 }],
    ["a date that does not exist", { ...SGX, issueDate: "2025-02-30T00:00:00Z" }],
    ["a date in another zone", { ...SGX, nextUpdate: "2025-06-19T10:56:11+02:00" }],
    ["a date without a time", { ...SGX, nextUpdate: "2025-06-19" }],
    ["an FMSPC of 5 bytes", { ...SGX, fmspc: "00A0671100" }],
    ["an FMSPC that is not hex", { ...SGX, fmspc: "00A06711000G" }],
    ["a PCEID of 3 bytes", { ...SGX, pceId: "000100" }],
    ["a negative evaluation number", { ...SGX, tcbEvaluationDataNumber: -1 }],
    ["a broken evaluation number", { ...SGX, tcbEvaluationDataNumber: 17.5 }],
    ["no levels", { ...SGX, tcbLevels: [] }],
    ["levels that are no array", { ...SGX, tcbLevels: {} }],
    ["an unknown status", level(SGX, { tcbStatus: "Fine" })],
    ["a status in other case", level(SGX, { tcbStatus: "uptodate" })],
    ["a status that every object has", level(SGX, { tcbStatus: "toString" })],
    ["no status", level(SGX, { tcbStatus: undefined })],
    ["no date of a level", level(SGX, { tcbDate: undefined })],
    ["advisories that are no array", level(SGX, { advisoryIDs: "INTEL-SA-00615" })],
    ["an advisory that is no text", level(SGX, { advisoryIDs: [615] })],
    ["an advisory with a line break", level(SGX, { advisoryIDs: ["INTEL-SA-00615\n"] })],
    ["15 components", tcb(SGX, { sgxtcbcomponents: COMPONENTS.slice(1) })],
    ["17 components", tcb(SGX, { sgxtcbcomponents: [...COMPONENTS, { svn: 0 }] })],
    ["a component past 255", tcb(SGX, { sgxtcbcomponents: COMPONENTS.with(3, { svn: 256 }) })],
    ["a component below 0", tcb(SGX, { sgxtcbcomponents: COMPONENTS.with(3, { svn: -1 }) })],
    [
      "a component without a number",
      tcb(SGX, { sgxtcbcomponents: [...COMPONENTS].fill({} as never) }),
    ],
    ["a PCESVN past 65535", tcb(SGX, { pcesvn: 65536 })],
    ["no PCESVN", tcb(SGX, { pcesvn: undefined })],
    ["TDX without TDX components", tcb(TDX, { tdxtcbcomponents: undefined })],
    ["TDX with 15 of them", tcb(TDX, { tdxtcbcomponents: COMPONENTS.slice(1) })],
    [
      "a TDX module signer of 32 bytes",
      { ...TDX, tdxModule: { ...MODULE, mrsigner: "00".repeat(32) } },
    ],
    [
      "TDX module attributes of 7 bytes",
      { ...TDX, tdxModule: { ...MODULE, attributes: "00".repeat(7) } },
    ],
    [
      "TDX module attributes without a mask",
      { ...TDX, tdxModule: without(MODULE, "attributesMask") },
    ],
    [
      "a TDX module identity with another id",
      { ...TDX, tdxModuleIdentities: [{ id: "TDX_1", ...MODULE, tcbLevels: [] }] },
    ],
    [
      "a TDX module identity without levels",
      { ...TDX, tdxModuleIdentities: [{ id: "TDX_01", ...MODULE, tcbLevels: [] }] },
    ],
    ["version 2 that lacks a component", tcb(VERSION_2, { sgxtcbcomp07svn: undefined })],
    ["version 2 with the components of version 3", { ...SGX, version: 2 }],
  ])("is refused with %s", (_, document) => {
    expect(failure(() => parseTcbInfo(JSON.stringify(document)))).toBe("malformed-tcb-info");
  });

  test.each(Object.keys(without(VERSION_2, "id")))("is refused without its %s", (key) => {
    const document = JSON.stringify(without(VERSION_2, key));
    expect(failure(() => parseTcbInfo(document))).toBe("malformed-tcb-info");
  });

  test("is refused if it is no JSON, or longer than 1 MiB", () => {
    expect(failure(() => parseTcbInfo(`${JSON.stringify(SGX)}}`))).toBe("malformed-tcb-info");
    const spaces = " ".repeat(1024 * 1024);
    expect(failure(() => parseTcbInfo(`${spaces}${JSON.stringify(SGX)}`))).toBe("too-large");
  });

  test("of SGX gives what a platform is graded by", () => {
    const info = parseTcbInfo(JSON.stringify({ ...SGX, somethingNew: true }));
    expect({ ...info, fmspc: toHex(info.fmspc), pceId: toHex(info.pceId) }).toEqual({
      tee: "sgx",
      version: 3,
      issueDateMs: Date.UTC(2025, 5, 19, 10, 56, 11),
      nextUpdateMs: Date.UTC(2025, 6, 19, 10, 56, 11),
      fmspc: "00a067110000",
      pceId: "0001",
      evaluationDataNumber: 17,
      moduleIdentities: [],
      levels: [
        {
          status: "SWHardeningNeeded",
          dateMs: Date.UTC(2024, 2, 13),
          advisories: ["INTEL-SA-00615", "INTEL-SA-00289"],
          sgxSvns: COMPONENTS.map(({ svn }) => svn),
          tdxSvns: [],
          pceSvn: 13,
        },
      ],
    });
  });

  test("of TDX gives the modules too", () => {
    const info = parseTcbInfo(JSON.stringify(TDX));
    expect(info.tee).toBe("tdx");
    expect(info.levels[0]?.tdxSvns).toEqual(COMPONENTS.map(({ svn }) => 15 - svn));
    expect(info.module && toHex(info.module.mrSigner)).toBe(MODULE.mrsigner);
    expect(info.moduleIdentities).toMatchObject([{ id: "TDX_01", levels: [{ isvSvn: 4 }] }]);
    expect(info.moduleIdentities[0] && toHex(info.moduleIdentities[0].attributes)).toBe(
      MODULE.attributes,
    );
  });

  test("of version 2 is SGX's and lists no advisories", () => {
    const info = parseTcbInfo(JSON.stringify(VERSION_2));
    const sgxSvns = COMPONENTS.map(({ svn }) => svn);
    expect(info).toMatchObject({ tee: "sgx", version: 2, levels: [{ sgxSvns, advisories: [] }] });
  });
});

describe("QE identity", () => {
  test.each<[string, Json]>([
    ["another id", { ...QE, id: "QVE" }],
    ["version 1", { ...QE, version: 1 }],
    ["a MISCSELECT of 3 bytes", { ...QE, miscselect: "000000" }],
    ["attributes of 15 bytes", { ...QE, attributes: "00".repeat(15) }],
    ["a signer of 48 bytes", { ...QE, mrsigner: "00".repeat(48) }],
    ["a product past 65535", { ...QE, isvprodid: 65536 }],
    ["no levels", { ...QE, tcbLevels: [] }],
    ["an unknown status", level(QE, { tcbStatus: "Fine" })],
    ["a level without ISVSVN", level(QE, { tcb: {} })],
    ["an ISVSVN past 65535", level(QE, { tcb: { isvsvn: 65536 } })],
  ])("is refused with %s", (_, document) => {
    expect(failure(() => parseQeIdentity(JSON.stringify(document)))).toBe("malformed-qe-identity");
  });

  test.each(Object.keys(QE))("is refused without its %s", (key) => {
    const document = JSON.stringify(without(QE, key));
    expect(failure(() => parseQeIdentity(document))).toBe("malformed-qe-identity");
  });

  test("gives what a quoting enclave must be", () => {
    const identity = parseQeIdentity(JSON.stringify({ ...QE, somethingNew: true }));
    expect(identity).toMatchObject({
      tee: "sgx",
      issueDateMs: Date.UTC(2025, 5, 19, 10, 1, 18),
      nextUpdateMs: Date.UTC(2025, 6, 19, 10, 1, 18),
      evaluationDataNumber: 17,
      isvProdId: 1,
      levels: [{ isvSvn: 8, status: "SWHardeningNeeded", dateMs: Date.UTC(2024, 2, 13) }],
    });
    expect(toHex(identity.mrSigner)).toBe("8c".repeat(32));
    expect(toHex(identity.miscSelect)).toBe("01000000");
    expect(toHex(identity.attributesMask)).toBe(`fbffffffffffffff${"00".repeat(8)}`);
    expect(parseQeIdentity(JSON.stringify({ ...QE, id: "TD_QE" })).tee).toBe("tdx");
  });
});

// Needs ../shared/testdata/attestation.
describe.skipIf(!hasTestdata)("documents that Intel signed (needs ../shared/testdata)", () => {
  test.each([
    ["collateral/sgx-00906ed50000-2025-05-early19.json", 21, 19, 0],
    ["collateral/sgx-00906ed50000-2025-05-tcbv2.json", 19, 17, 0],
    ["collateral/tdx-50806f000000-2023-06.json", 2, 15, 0],
    ["collateral/tdx-90c06f000000-2026-02.json", 3, 18, 2],
    ["testroot/intelqvl-collateral.json", 6, 3, 0],
  ])("%s reads well", (file, levels, number, identities) => {
    const set = JSON.parse(readTestdataText(file)) as Readonly<Record<string, string>>;
    const info = parseTcbInfo(set.tcb_info ?? "");
    expect(info.levels).toHaveLength(levels);
    expect(info.evaluationDataNumber).toBe(number);
    expect(info.moduleIdentities).toHaveLength(identities);
    expect(parseQeIdentity(set.qe_identity ?? "").tee).toBe(info.tee);
  });
});
