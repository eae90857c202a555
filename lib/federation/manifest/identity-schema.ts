/** Enclave identities as a manifest spells them: the types of lib/attestation/appraisal, field by field. */
import * as z from "zod/mini";
import type {
  DcapPlatformId,
  SgxIdentity,
  SgxMeasurement,
  SnpIdentity,
  SnpMeasurement,
  SnpPlatformId,
  TdxIdentity,
  TdxMeasurement,
} from "../../attestation/appraisal/identity.ts";
import type {
  AcceptableStatus,
  AcceptedStatus,
  DcapTcbPolicy,
  SnpTcbMinimum,
  SnpTcbPolicy,
} from "../../attestation/appraisal/tcb-policy.ts";
import { TCB_STATUSES } from "../../attestation/endorsements/tcb-info.ts";
import {
  advisory,
  base64,
  exactly,
  hex,
  integer,
  list,
  maskedBits,
  name,
  oneOf,
  orAnything,
} from "./fields.ts";
import { MAX_LISTED } from "./manifest.ts";

const MAX_UINT8 = 0xff;
const MAX_UINT16 = 0xffff;
const MAX_UINT32 = 0xffff_ffff;
/** Longer than any TCB recovery takes; what is to be accepted for ever is a status, not a grace. */
const MAX_GRACE_DAYS = 3650;
const VMPLS = 4;

const common = { name, anchor: base64 };
const advisories = list(advisory, 0, MAX_LISTED);
const acceptable = TCB_STATUSES.filter(
  (status): status is AcceptableStatus => status !== "Revoked",
);

const acceptedStatus: z.ZodMiniType<AcceptedStatus> = z.strictObject({
  status: oneOf(...acceptable),
  advisories: orAnything(advisories),
});

const dcapTcb: z.ZodMiniType<DcapTcbPolicy> = z.strictObject({
  accepted: list(acceptedStatus, 0, acceptable.length),
  refusedAdvisories: advisories,
  graceDays: integer(0, MAX_GRACE_DAYS),
  minEvaluationNumber: integer(0, MAX_UINT32),
});

const dcapPlatform: z.ZodMiniType<DcapPlatformId> = z.strictObject({
  kind: oneOf("ppid", "platform-instance"),
  id: hex(16),
});
const dcapPlatforms = orAnything(list(dcapPlatform, 0, MAX_LISTED));

const sgxMeasurement: z.ZodMiniType<SgxMeasurement> = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("mrenclave"), mrEnclave: hex(32) }),
  z.strictObject({
    kind: z.literal("mrsigner"),
    mrSigner: hex(32),
    isvProdId: integer(0, MAX_UINT16),
    minIsvSvn: integer(0, MAX_UINT16),
  }),
]);

/** Shape of an SGX identity. */
export const sgxIdentity = z.strictObject({
  kind: z.literal("sgx"),
  ...common,
  measurement: sgxMeasurement,
  attributes: maskedBits(16),
  miscSelect: maskedBits(4),
  configId: orAnything(hex(64)),
  minConfigSvn: integer(0, MAX_UINT16),
  isvExtProdId: orAnything(hex(16)),
  isvFamilyId: orAnything(hex(16)),
  tcb: dcapTcb,
  platforms: dcapPlatforms,
}) satisfies z.ZodMiniType<SgxIdentity>;

const tdxMeasurement: z.ZodMiniType<TdxMeasurement> = z.strictObject({
  mrTd: hex(48),
  rtmr0: orAnything(hex(48)),
  rtmr1: orAnything(hex(48)),
  rtmr2: orAnything(hex(48)),
  rtmr3: orAnything(hex(48)),
  mrConfigId: orAnything(hex(48)),
  mrOwner: orAnything(hex(48)),
  mrOwnerConfig: orAnything(hex(48)),
});

/** Shape of a TDX identity. */
export const tdxIdentity = z.strictObject({
  kind: z.literal("tdx"),
  ...common,
  measurement: tdxMeasurement,
  mrSeam: orAnything(hex(48)),
  mrSignerSeam: orAnything(hex(48)),
  mrServiceTd: orAnything(hex(48)),
  tdAttributes: maskedBits(8),
  xfam: maskedBits(8),
  tcb: dcapTcb,
  platforms: dcapPlatforms,
}) satisfies z.ZodMiniType<TdxIdentity>;

const snpMeasurement: z.ZodMiniType<SnpMeasurement> = z.strictObject({
  launch: hex(48),
  hostData: orAnything(hex(32)),
  idKeyDigest: orAnything(hex(48)),
  authorKeyDigest: orAnything(hex(48)),
  familyId: orAnything(hex(16)),
  imageId: orAnything(hex(16)),
  minGuestSvn: integer(0, MAX_UINT32),
});

const snpVersions: z.ZodMiniType<SnpTcbMinimum> = z.strictObject({
  fmc: integer(0, MAX_UINT8),
  bootloader: integer(0, MAX_UINT8),
  tee: integer(0, MAX_UINT8),
  snp: integer(0, MAX_UINT8),
  microcode: integer(0, MAX_UINT8),
});
const snpTcb: z.ZodMiniType<SnpTcbPolicy> = z.strictObject({
  reported: snpVersions,
  committed: snpVersions,
  launch: snpVersions,
});
const snpPlatform: z.ZodMiniType<SnpPlatformId> = z.strictObject({
  kind: oneOf("chip"),
  id: hex(64),
});

/** Shape of an SEV-SNP identity. */
export const snpIdentity = z.strictObject({
  kind: z.literal("sev-snp"),
  ...common,
  measurement: snpMeasurement,
  guestPolicy: maskedBits(8),
  platformInfo: maskedBits(8),
  vmpls: list(integer(0, VMPLS - 1), 0, VMPLS),
  signingKeys: list(oneOf("vcek", "vlek"), 0, 2),
  revocation: orAnything(exactly("checked")),
  tcb: snpTcb,
  platforms: orAnything(list(snpPlatform, 0, MAX_LISTED)),
}) satisfies z.ZodMiniType<SnpIdentity>;
