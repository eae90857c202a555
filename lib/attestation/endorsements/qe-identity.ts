/** QE identity: which quoting enclave Intel stands behind (PCS API, "Get Quoting Enclave Identity", version 2). */
import type { UnixMs } from "../../base/ids.ts";
import { parseJson } from "../encoding/json-fields.ts";
import { type IsvLevel, readIsvLevels } from "./tcb-info.ts";

/** Largest document that is read. */
const MAX_QE_IDENTITY_LENGTH = 1024 * 1024;
const VERSION = 2;
const MAX_NUMBER = 2 ** 31;
const MAX_PROD_ID = 0xffff;

/** Who the quoting enclave must be, and how Intel grades its versions. */
export type QeIdentity = {
  readonly tee: "sgx" | "tdx";
  readonly issueDateMs: UnixMs;
  readonly nextUpdateMs: UnixMs;
  readonly evaluationDataNumber: number;
  /** 4 bytes each, as in the report. */
  readonly miscSelect: Uint8Array;
  readonly miscSelectMask: Uint8Array;
  /** 16 bytes each. */
  readonly attributes: Uint8Array;
  readonly attributesMask: Uint8Array;
  /** 32 bytes. */
  readonly mrSigner: Uint8Array;
  readonly isvProdId: number;
  /** From the newest to the oldest. */
  readonly levels: readonly IsvLevel[];
};

/**
 * Reads the exact text that Intel signed. Fields that Intel added since are passed over, none that is used may be missing.
 * @throws EvidenceError "malformed-qe-identity" | "too-large"
 */
export function parseQeIdentity(text: string): QeIdentity {
  const fields = parseJson(text, "malformed-qe-identity", MAX_QE_IDENTITY_LENGTH).openObject([
    "id",
    "version",
    "issueDate",
    "nextUpdate",
    "tcbEvaluationDataNumber",
    "miscselect",
    "miscselectMask",
    "attributes",
    "attributesMask",
    "mrsigner",
    "isvprodid",
    "tcbLevels",
  ]);
  fields.get("version").integer(VERSION, VERSION);
  return {
    tee: fields.get("id").oneOf(["QE", "TD_QE"]) === "QE" ? "sgx" : "tdx",
    issueDateMs: fields.get("issueDate").time(),
    nextUpdateMs: fields.get("nextUpdate").time(),
    evaluationDataNumber: fields.get("tcbEvaluationDataNumber").integer(0, MAX_NUMBER),
    miscSelect: fields.get("miscselect").hex(4),
    miscSelectMask: fields.get("miscselectMask").hex(4),
    attributes: fields.get("attributes").hex(16),
    attributesMask: fields.get("attributesMask").hex(16),
    mrSigner: fields.get("mrsigner").hex(32),
    isvProdId: fields.get("isvprodid").integer(0, MAX_PROD_ID),
    levels: readIsvLevels(fields.get("tcbLevels")),
  };
}
