import type { UnixMs } from "../../base/ids.ts";
import type { Refusal } from "../../base/refusal.ts";
import type { TdxMeasurements } from "../evidence/td-report.ts";
import type { TdxClaims } from "../verification/claims.ts";
import type { AppraisalCode } from "./codes.ts";
import type { TdxIdentity, TdxMeasurement } from "./identity.ts";
import { bitRefusals, TD_ATTRIBUTE_HAZARDS } from "./masked-bits.ts";
import { appraiseDcapTcb, type TcbVerdict } from "./tcb-policy.ts";
import { exactly, listedDcapPlatform } from "./wanted-values.ts";

/** Bytes of MRSERVICETD; TDX before 1.5 has none, which is as good as none bound. */
const SERVICE_TD_BYTES = 48;

/** Every reason why a TD is not this identity, its anchor aside. */
export function appraiseTdx(claims: TdxClaims, wanted: TdxIdentity, nowMs: UnixMs): TcbVerdict {
  const { measurements: seen, platform } = claims;
  const tcb = appraiseDcapTcb(claims.tcb, wanted.tcb, nowMs);
  const serviceTd = seen.mrServiceTd ?? new Uint8Array(SERVICE_TD_BYTES);
  const refusals = [
    ...appraiseMeasurement(seen, wanted.measurement),
    ...exactly("mrseam-mismatch", seen.mrSeam, wanted.mrSeam),
    ...exactly("mrsignerseam-mismatch", seen.mrSignerSeam, wanted.mrSignerSeam),
    ...exactly("mrservicetd-mismatch", serviceTd, wanted.mrServiceTd),
    ...bitRefusals(
      "td-attributes-mismatch",
      seen.tdAttributes,
      wanted.tdAttributes,
      TD_ATTRIBUTE_HAZARDS,
    ),
    ...bitRefusals("xfam-mismatch", seen.xfam, wanted.xfam),
    ...listedDcapPlatform(platform, wanted.platforms),
    ...tcb.refusals,
  ];
  return { refusals, warnings: tcb.warnings };
}

function appraiseMeasurement(
  seen: TdxMeasurements,
  wanted: TdxMeasurement,
): Refusal<AppraisalCode>[] {
  const rtmrs = [wanted.rtmr0, wanted.rtmr1, wanted.rtmr2, wanted.rtmr3];
  return [
    ...exactly("mrtd-mismatch", seen.mrTd, wanted.mrTd),
    ...rtmrs.flatMap((rtmr, index) =>
      exactly("rtmr-mismatch", seen.rtmrs[index] ?? new Uint8Array(), rtmr, `RTMR${index} `),
    ),
    ...exactly("mrconfigid-mismatch", seen.mrConfigId, wanted.mrConfigId),
    ...exactly("mrowner-mismatch", seen.mrOwner, wanted.mrOwner),
    ...exactly("mrownerconfig-mismatch", seen.mrOwnerConfig, wanted.mrOwnerConfig),
  ];
}
