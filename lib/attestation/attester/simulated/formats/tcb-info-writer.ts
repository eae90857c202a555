/** TCB info as Intel serves it (PCS API, "TCB info V2/V3"): the text that is signed. */
import { toHex } from "../../../../base/bytes.ts";
import type { UnixMs } from "../../../../base/ids.ts";
import { intelTime, type SignedDates } from "./intel-time.ts";

/** One state of a platform and what Intel says of it. */
export type TcbLevelFields = {
  /** 16 security versions each; TDX components only for TDs. */
  readonly components: readonly number[];
  readonly tdxComponents?: readonly number[];
  readonly pceSvn: number;
  readonly tcbDateMs: UnixMs;
  /** As it is written; one that Intel does not know makes the document malformed. */
  readonly status: string;
  readonly advisories: readonly string[];
};

/** One state of a TDX module or of a quoting enclave. */
export type IsvLevelFields = Omit<TcbLevelFields, "components" | "tdxComponents" | "pceSvn"> & {
  readonly isvSvn: number;
};

/** What Intel says of the TDX modules of one generation. */
export type TdxModuleFields = {
  /** Of the identities, "TDX_01"; undefined for the module before 1.5, which has none. */
  readonly id?: string;
  /** 48 bytes. */
  readonly mrSigner: Uint8Array;
  /** 8 bytes each. */
  readonly attributes: Uint8Array;
  readonly attributesMask: Uint8Array;
  readonly levels: readonly IsvLevelFields[];
};

/** Everything in TCB info. */
export type TcbInfoFields = SignedDates & {
  readonly id: "SGX" | "TDX";
  /** 2 has neither advisories nor TDX. */
  readonly version: 2 | 3;
  readonly fmspc: Uint8Array;
  readonly pceId: Uint8Array;
  readonly evaluationNumber: number;
  readonly tdxModules: readonly TdxModuleFields[];
  /** Highest first. */
  readonly levels: readonly TcbLevelFields[];
};

/** JSON without white space, keys in Intel's order. */
export function writeTcbInfo(fields: TcbInfoFields): string {
  const { id, version } = fields;
  return JSON.stringify({
    ...(version === 3 && { id }),
    version,
    issueDate: intelTime(fields.issueDateMs),
    nextUpdate: intelTime(fields.nextUpdateMs),
    fmspc: upperHex(fields.fmspc),
    pceId: upperHex(fields.pceId),
    tcbType: 0,
    tcbEvaluationDataNumber: fields.evaluationNumber,
    ...(id === "TDX" && tdxModules(fields.tdxModules)),
    tcbLevels: fields.levels.map((level) => ({
      tcb: version === 3 ? componentLists(level) : numberedComponents(level),
      ...verdict(level, version === 3),
    })),
  });
}

/** Date, status and advisories of a level, the last where there are any. */
export const verdict = (
  level: Pick<TcbLevelFields, "tcbDateMs" | "status" | "advisories">,
  hasAdvisories: boolean,
) => ({
  tcbDate: intelTime(level.tcbDateMs),
  tcbStatus: level.status,
  ...(hasAdvisories && level.advisories.length > 0 && { advisoryIDs: level.advisories }),
});

/** Hex as Intel writes it. */
export const upperHex = (bytes: Uint8Array): string => toHex(bytes).toUpperCase();

const componentLists = ({ components, pceSvn, tdxComponents }: TcbLevelFields) => ({
  sgxtcbcomponents: components.map((svn) => ({ svn })),
  pcesvn: pceSvn,
  ...(tdxComponents !== undefined && {
    tdxtcbcomponents: tdxComponents.map((svn) => ({ svn })),
  }),
});

const numberedComponents = ({ components, pceSvn }: TcbLevelFields) => ({
  ...Object.fromEntries(
    components.map((svn, index) => [`sgxtcbcomp${String(index + 1).padStart(2, "0")}svn`, svn]),
  ),
  pcesvn: pceSvn,
});

/** The module before 1.5, and the identities of all later ones. */
function tdxModules(modules: readonly TdxModuleFields[]) {
  const described = modules.map(({ id, mrSigner, attributes, attributesMask, levels }) => ({
    ...(id !== undefined && { id }),
    mrsigner: upperHex(mrSigner),
    attributes: upperHex(attributes),
    attributesMask: upperHex(attributesMask),
    ...(id !== undefined && {
      tcbLevels: levels.map((level) => ({
        tcb: { isvsvn: level.isvSvn },
        ...verdict(level, true),
      })),
    }),
  }));
  return {
    tdxModule: described.find((each) => each.id === undefined),
    tdxModuleIdentities: described.filter((each) => each.id !== undefined),
  };
}
