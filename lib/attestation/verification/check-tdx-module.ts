/** Whether the module that launched a trust domain is one that Intel stands behind. */
import { equalBytes, toHex } from "../../base/bytes.ts";
import type { TcbInfo, TdxModule } from "../endorsements/tcb-info.ts";
import type { TdxMeasurements } from "../evidence/td-report.ts";
import { equalUnder } from "./check-quoting-enclave.ts";
import type { Checklist } from "./checklist.ts";
import {
  type MatchedLevel,
  matchIsvLevel,
  moduleIdentityOf,
  moduleIdOf,
  moduleVersion,
} from "./tcb-level.ts";

/**
 * Holds the TDX module against its identity (Intel TDX DCAP, "TDX module identity"): byte 1 of TEE_TCB_SVN names the
 * identity, byte 0 is its security version. Modules before 1.5 have byte 1 zero, and are graded with the platform.
 * @returns the level of its identity that it reaches, if it has one
 */
export function checkTdxModule(
  checklist: Checklist,
  td: TdxMeasurements,
  tcbInfo: TcbInfo,
): MatchedLevel | undefined {
  const { module, moduleIdentities } = tcbInfo;
  const hasIdentity = moduleVersion(td.teeTcbSvn) > 0;
  const id = moduleIdOf(td.teeTcbSvn);
  const identity = moduleIdentityOf(tcbInfo, td.teeTcbSvn);
  const expected: TdxModule | undefined = hasIdentity ? identity : module;
  checklist.note(
    expected !== undefined,
    "tdx-module-unknown",
    "TDX module: known to TCB info",
    hasIdentity ? id : "a module before 1.5",
    () => ["tdxModule", ...moduleIdentities.map((each) => each.id)].join(", "),
  );
  if (expected === undefined) return undefined;
  checklist.note(
    equalBytes(td.mrSignerSeam, expected.mrSigner),
    "tdx-module-mrsigner-mismatch",
    "TDX module: signed by Intel",
    () => toHex(td.mrSignerSeam),
    () => toHex(expected.mrSigner),
  );
  checklist.note(
    equalUnder(expected.attributesMask, td.seamAttributes, expected.attributes),
    "tdx-module-attributes-mismatch",
    "TDX module: attributes",
    () => toHex(td.seamAttributes),
    () => `${toHex(expected.attributes)} under ${toHex(expected.attributesMask)}`,
  );
  if (identity === undefined) return undefined;
  const isvSvn = td.teeTcbSvn[0] ?? 0;
  const level = matchIsvLevel(identity.levels, isvSvn);
  checklist.note(
    level !== undefined,
    "tdx-module-tcb-level-not-found",
    "TDX module: reaches a level of its identity",
    `${id} with security version ${isvSvn}`,
    () => `${Math.min(...identity.levels.map((each) => each.isvSvn))} or higher`,
  );
  return level;
}
