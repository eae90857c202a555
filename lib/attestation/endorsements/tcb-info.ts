/** TCB info: how Intel grades the platforms of one FMSPC (PCS API, "Get TCB Info"; versions 2 and 3). */
import type { UnixMs } from "../../base/ids.ts";
import { type JsonValue, parseJson } from "../encoding/json-fields.ts";

/** The states in which Intel finds a platform, as its documents spell them. */
export const TCB_STATUSES = [
  "UpToDate",
  "SWHardeningNeeded",
  "ConfigurationNeeded",
  "ConfigurationAndSWHardeningNeeded",
  "OutOfDate",
  "OutOfDateConfigurationNeeded",
  "Revoked",
] as const;
/** One of them. */
export type TcbStatus = (typeof TCB_STATUSES)[number];

/** Largest document that is read. */
const MAX_TCB_INFO_LENGTH = 1024 * 1024;
const MAX_LEVELS = 1024;
const MAX_ADVISORIES = 1024;
const MAX_MODULES = 256;
const COMPONENT_COUNT = 16;
const MAX_SVN = 0xff;
const MAX_PCE_SVN = 0xffff;
const MAX_NUMBER = 2 ** 31;
/** The only way of comparing levels that exists: component by component. */
const TCB_TYPE = 0;

/** What stands behind a level of whatever component. */
export type Level = {
  readonly status: TcbStatus;
  readonly dateMs: UnixMs;
  /** Empty in version 2, which has none. */
  readonly advisories: readonly string[];
};

/** Security versions that a platform must reach, component by component. */
export type TcbLevel = Level & {
  /** 16 numbers. */
  readonly sgxSvns: readonly number[];
  /** 16 numbers; TDX only. */
  readonly tdxSvns: readonly number[];
  readonly pceSvn: number;
};

/** Security version that an enclave or module must reach. */
export type IsvLevel = Level & { readonly isvSvn: number };

/** Who the TDX module must be. */
export type TdxModule = {
  /** 48 bytes. */
  readonly mrSigner: Uint8Array;
  /** 8 bytes each. */
  readonly attributes: Uint8Array;
  readonly attributesMask: Uint8Array;
};

/** A module of one major version, graded apart from the platform: "TDX_01". */
export type TdxModuleIdentity = TdxModule & {
  readonly id: string;
  readonly levels: readonly IsvLevel[];
};

/** TCB info, read and not verified. */
export type TcbInfo = {
  readonly tee: "sgx" | "tdx";
  readonly version: 2 | 3;
  readonly issueDateMs: UnixMs;
  readonly nextUpdateMs: UnixMs;
  /** 6 bytes. */
  readonly fmspc: Uint8Array;
  /** 2 bytes. */
  readonly pceId: Uint8Array;
  readonly evaluationDataNumber: number;
  /** From the newest to the oldest: the first that a platform reaches is its own. */
  readonly levels: readonly TcbLevel[];
  /** For TDX modules before 1.5. */
  readonly module?: TdxModule;
  readonly moduleIdentities: readonly TdxModuleIdentity[];
};

/**
 * Reads the exact text that Intel signed. Fields that Intel added since are passed over, none that is used may be missing.
 * @throws EvidenceError "malformed-tcb-info" | "too-large"
 */
export function parseTcbInfo(text: string): TcbInfo {
  const document = parseJson(text, "malformed-tcb-info", MAX_TCB_INFO_LENGTH);
  const fields = document.openObject(
    [
      "version",
      "issueDate",
      "nextUpdate",
      "fmspc",
      "pceId",
      "tcbType",
      "tcbEvaluationDataNumber",
      "tcbLevels",
    ],
    ["id", "tdxModule", "tdxModuleIdentities"],
  );
  const version = fields.get("version").integer(2, 3) === 2 ? 2 : 3;
  const tee = version === 3 ? readTee(fields.find("id") ?? document) : "sgx";
  fields.get("tcbType").integer(TCB_TYPE, TCB_TYPE);
  const module = fields.find("tdxModule");
  return {
    tee,
    version,
    issueDateMs: fields.get("issueDate").time(),
    nextUpdateMs: fields.get("nextUpdate").time(),
    fmspc: fields.get("fmspc").hex(6),
    pceId: fields.get("pceId").hex(2),
    evaluationDataNumber: fields.get("tcbEvaluationDataNumber").integer(0, MAX_NUMBER),
    levels: fields
      .get("tcbLevels")
      .array(1, MAX_LEVELS)
      .map((level) => readTcbLevel(level, version, tee)),
    ...(tee === "tdx" && module !== undefined ? { module: readModule(module) } : {}),
    moduleIdentities: tee === "tdx" ? readModuleIdentities(fields.find("tdxModuleIdentities")) : [],
  };
}

const readTee = (id: JsonValue): "sgx" | "tdx" =>
  id.oneOf(["SGX", "TDX"]) === "TDX" ? "tdx" : "sgx";

/** Levels of an enclave or module by its security version. */
export const readIsvLevels = (levels: JsonValue): readonly IsvLevel[] =>
  levels.array(1, MAX_LEVELS).map((level) => ({
    ...readLevel(level),
    isvSvn: level
      .openObject(["tcb"])
      .get("tcb")
      .openObject(["isvsvn"])
      .get("isvsvn")
      .integer(0, MAX_PCE_SVN),
  }));

function readLevel(level: JsonValue): Level {
  const fields = level.openObject(["tcbDate", "tcbStatus"], ["advisoryIDs"]);
  const advisories = fields.find("advisoryIDs")?.array(0, MAX_ADVISORIES) ?? [];
  return {
    status: fields.get("tcbStatus").oneOf(TCB_STATUSES),
    dateMs: fields.get("tcbDate").time(),
    advisories: advisories.map((each) => each.string(/^[A-Z0-9-]{1,64}$/)),
  };
}

function readTcbLevel(level: JsonValue, version: 2 | 3, tee: "sgx" | "tdx"): TcbLevel {
  const tcb = level.openObject(["tcb"]).get("tcb");
  const pceSvn = tcb.openObject(["pcesvn"]).get("pcesvn").integer(0, MAX_PCE_SVN);
  const svns =
    version === 2
      ? { sgxSvns: readNamedSvns(tcb), tdxSvns: [] }
      : {
          sgxSvns: readSvns(tcb.openObject(["sgxtcbcomponents"]).get("sgxtcbcomponents")),
          tdxSvns:
            tee === "tdx"
              ? readSvns(tcb.openObject(["tdxtcbcomponents"]).get("tdxtcbcomponents"))
              : [],
        };
  return { ...readLevel(level), ...svns, pceSvn };
}

const readSvns = (components: JsonValue): readonly number[] =>
  components
    .array(COMPONENT_COUNT, COMPONENT_COUNT)
    .map((each) => each.openObject(["svn"]).get("svn").integer(0, MAX_SVN));

/** Version 2 names each component: sgxtcbcomp01svn to sgxtcbcomp16svn. */
const readNamedSvns = (tcb: JsonValue): readonly number[] =>
  Array.from({ length: COMPONENT_COUNT }, (_, index) => {
    const name = `sgxtcbcomp${String(index + 1).padStart(2, "0")}svn`;
    return tcb.openObject([name]).get(name).integer(0, MAX_SVN);
  });

function readModule(module: JsonValue): TdxModule {
  const fields = module.openObject(["mrsigner", "attributes", "attributesMask"]);
  return {
    mrSigner: fields.get("mrsigner").hex(48),
    attributes: fields.get("attributes").hex(8),
    attributesMask: fields.get("attributesMask").hex(8),
  };
}

const readModuleIdentities = (identities: JsonValue | undefined): readonly TdxModuleIdentity[] =>
  (identities?.array(0, MAX_MODULES) ?? []).map((identity) => {
    const fields = identity.openObject(["id", "tcbLevels"]);
    return {
      ...readModule(identity),
      id: fields
        .get("id")
        .string(/^TDX_[0-9A-Fa-f]{2}$/)
        .toUpperCase(),
      levels: readIsvLevels(fields.get("tcbLevels")),
    };
  });
