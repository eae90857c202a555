/** TCB info and QE identity of a simulated platform, as an imaginary Intel would publish them. */
import type { UnixMs } from "../../../base/ids.ts";
import type { DatedObjectFault } from "../../verification/codes.ts";
import { publicationDates, publicationNumber } from "./authorities/publication.ts";
import { writeQeIdentity } from "./formats/qe-identity-writer.ts";
import {
  type TcbInfoFields,
  type TcbLevelFields,
  type TdxModuleFields,
  writeTcbInfo,
} from "./formats/tcb-info-writer.ts";
import { HONEST } from "./knobs/honest.ts";
import type { LevelKnob, SimulatorKnobs } from "./knobs/simulator-knobs.ts";
import type { DcapSettings } from "./platform-settings.ts";
import { QE_MRSIGNER, QE_PRODUCT_IDS } from "./quoting-enclave.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** A status that Intel never gave. */
const UNKNOWN_STATUS = "Splendid";

/** The text of TCB info. */
export function tcbInfoText(settings: DcapSettings, knobs: SimulatorKnobs, nowMs: UnixMs): string {
  const { tcb, tdxModule } = knobs;
  const fault = knobs.faults.documents["tcb-info"];
  const isTdx = (settings.tee === "tdx") !== (fault === "wrong-tee");
  const levels = tcb.levels.map((level, index): TcbLevelFields => {
    const raised = (svn: number) => (svn === 0 ? 0 : Math.max(0, svn + level.ahead));
    return {
      components: settings.components.map(raised),
      ...(isTdx && { tdxComponents: Array.from(settings.teeTcbSvn, raised) }),
      pceSvn: settings.pceSvn + level.ahead,
      ...verdictOf(level, index, nowMs, fault),
    };
  });
  const fields: TcbInfoFields = {
    id: isTdx ? "TDX" : "SGX",
    version: tcb.tcbInfoVersion,
    ...publicationDates(nowMs, fault),
    fmspc: tcb.fmspc === "same" ? settings.fmspc : settings.fmspc.with(5, 0xff),
    pceId: tcb.pceId === "same" ? settings.pceId : settings.pceId.with(0, 0xff),
    evaluationNumber: publicationNumber(tcb.evaluationNumber, fault),
    tdxModules: modules(settings, tdxModule, nowMs),
    levels,
  };
  return writeTcbInfo(fields);
}

/** The text of the quoting enclave's identity. */
export function qeIdentityText(
  settings: DcapSettings,
  { qe, tcb, ...knobs }: SimulatorKnobs,
  nowMs: UnixMs,
): string {
  const fault = knobs.faults.documents["qe-identity"];
  const isTdx = (settings.tee === "tdx") !== (fault === "wrong-tee");
  return writeQeIdentity({
    id: isTdx ? "TD_QE" : "QE",
    ...publicationDates(nowMs, fault),
    evaluationNumber: publicationNumber(tcb.evaluationNumber, fault),
    mrSigner: QE_MRSIGNER,
    isvProdId: QE_PRODUCT_IDS[isTdx ? "tdx" : "sgx"],
    levels: qe.levels.map((level, index) => ({
      isvSvn: HONEST.qe.isvSvn + level.ahead,
      ...verdictOf(level, index, nowMs, fault),
    })),
  });
}

/** The module before 1.5, and the identity of the platform's own generation or of another one. */
function modules(
  { teeTcbSvn }: DcapSettings,
  knobs: SimulatorKnobs["tdxModule"],
  nowMs: UnixMs,
): readonly TdxModuleFields[] {
  const [version = 0, generation = 0] = teeTcbSvn;
  const listed = knobs.isListed ? Math.max(1, generation) : generation + 1;
  const levels = knobs.levels.map((level, index) => ({
    isvSvn: Math.max(0, version + level.ahead),
    ...verdictOf(level, index, nowMs, undefined),
  }));
  const common = {
    mrSigner: new Uint8Array(48),
    attributes: new Uint8Array(8),
    attributesMask: new Uint8Array(8).fill(0xff),
    levels,
  };
  return [common, { ...common, id: `TDX_${listed.toString(16).toUpperCase().padStart(2, "0")}` }];
}

function verdictOf(
  { status, advisories, publishedDaysAgo }: LevelKnob,
  index: number,
  nowMs: UnixMs,
  fault: DatedObjectFault | undefined,
) {
  const days = publishedDaysAgo ?? 90 + 365 * index;
  return {
    tcbDateMs: (nowMs - days * DAY_MS) as UnixMs,
    status: fault === "malformed" ? UNKNOWN_STATUS : status,
    advisories,
  };
}
