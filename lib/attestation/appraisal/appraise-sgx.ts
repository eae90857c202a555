import type { UnixMs } from "../../base/ids.ts";
import { type Refusal, refusal } from "../../base/refusal.ts";
import type { SgxMeasurements } from "../evidence/sgx-report.ts";
import type { SgxClaims } from "../verification/claims.ts";
import type { AppraisalCode } from "./codes.ts";
import type { SgxIdentity, SgxMeasurement } from "./identity.ts";
import { bitRefusals, numberBytes, SGX_ATTRIBUTE_HAZARDS } from "./masked-bits.ts";
import { appraiseDcapTcb, type TcbVerdict } from "./tcb-policy.ts";
import { atLeast, exactly, listedDcapPlatform } from "./wanted-values.ts";

/** Every reason why an SGX enclave is not this identity, its anchor aside. */
export function appraiseSgx(claims: SgxClaims, wanted: SgxIdentity, nowMs: UnixMs): TcbVerdict {
  const { measurements: seen, platform } = claims;
  const tcb = appraiseDcapTcb(claims.tcb, wanted.tcb, nowMs);
  const miscSelect = numberBytes(seen.miscSelect, 4);
  const refusals = [
    ...appraiseMeasurement(seen, wanted.measurement),
    ...bitRefusals(
      "attributes-mismatch",
      seen.attributes,
      wanted.attributes,
      SGX_ATTRIBUTE_HAZARDS,
    ),
    ...bitRefusals("miscselect-mismatch", miscSelect, wanted.miscSelect),
    ...exactly("configid-mismatch", seen.configId, wanted.configId),
    ...atLeast("configsvn-too-low", seen.configSvn, wanted.minConfigSvn),
    ...exactly("isvextprodid-mismatch", seen.isvExtProdId, wanted.isvExtProdId),
    ...exactly("isvfamilyid-mismatch", seen.isvFamilyId, wanted.isvFamilyId),
    ...listedDcapPlatform(platform, wanted.platforms),
    ...tcb.refusals,
  ];
  return { refusals, warnings: tcb.warnings };
}

function appraiseMeasurement(
  seen: SgxMeasurements,
  wanted: SgxMeasurement,
): Refusal<AppraisalCode>[] {
  if (wanted.kind === "mrenclave") {
    return exactly("mrenclave-mismatch", seen.mrEnclave, wanted.mrEnclave);
  }
  const refusals = exactly("mrsigner-mismatch", seen.mrSigner, wanted.mrSigner);
  if (seen.isvProdId !== wanted.isvProdId) {
    refusals.push(refusal("isvprodid-mismatch", seen.isvProdId, wanted.isvProdId));
  }
  return [...refusals, ...atLeast("isvsvn-too-low", seen.isvSvn, wanted.minIsvSvn)];
}
