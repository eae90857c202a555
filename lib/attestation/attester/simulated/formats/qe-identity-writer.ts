/** Identity of a quoting enclave as Intel serves it (PCS API, "Enclave Identity V2"): the text that is signed. */
import { placed } from "./byte-layout.ts";
import { intelTime, type SignedDates } from "./intel-time.ts";
import { type IsvLevelFields, upperHex, verdict } from "./tcb-info-writer.ts";

/** What differs between identities; masks and attributes are Intel's. */
export type QeIdentityFields = SignedDates & {
  readonly id: "QE" | "TD_QE";
  readonly evaluationNumber: number;
  /** 32 bytes. */
  readonly mrSigner: Uint8Array;
  readonly isvProdId: number;
  /** Highest first. */
  readonly levels: readonly IsvLevelFields[];
};

/** INIT and PROVISION_KEY; 64-bit code is masked. */
const ATTRIBUTES = placed(16, [[0, Uint8Array.of(0x11)]]);
/** All flags but 64-bit code, no XFRM; DEBUG is among them, so that a debuggable one never fits. */
const ATTRIBUTES_MASK = placed(16, [
  [0, Uint8Array.of(0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)],
]);

/** JSON without white space, keys in Intel's order. */
export function writeQeIdentity(fields: QeIdentityFields): string {
  return JSON.stringify({
    id: fields.id,
    version: 2,
    issueDate: intelTime(fields.issueDateMs),
    nextUpdate: intelTime(fields.nextUpdateMs),
    tcbEvaluationDataNumber: fields.evaluationNumber,
    miscselect: "00000000",
    miscselectMask: "FFFFFFFF",
    attributes: upperHex(ATTRIBUTES),
    attributesMask: upperHex(ATTRIBUTES_MASK),
    mrsigner: upperHex(fields.mrSigner),
    isvprodid: fields.isvProdId,
    tcbLevels: fields.levels.map((level) => ({
      tcb: { isvsvn: level.isvSvn },
      ...verdict(level, true),
    })),
  });
}
