/**
 * Who is accepted: reference values and policy of one attester, as a manifest names them. Plain data; byte strings are
 * lower-case hex in the order of the evidence, numbers of 32 or 64 bits are hex as people write them.
 */
import { fromBase64 } from "../../base/base64.ts";
import { assertInvariant } from "../../base/refusal.ts";
import type { OrAnything } from "./anything.ts";
import type { MaskedBits } from "./masked-bits.ts";
import type { DcapTcbPolicy, SnpTcbPolicy } from "./tcb-policy.ts";

type Common = {
  /** For people, and for the answer which identity was accepted. */
  readonly name: string;
  /** The root certificate that must stand behind the evidence: its whole DER, in base64. */
  readonly anchor: string;
};

/** A processor package (PPID) or a platform under the platform CA (platform instance id); 16 bytes each. */
export type DcapPlatformId = {
  readonly kind: "ppid" | "platform-instance";
  readonly id: string;
};

/** Which enclave: exactly this code, or any of a signer's product from a version on. */
export type SgxMeasurement =
  | { readonly kind: "mrenclave" /** 32 bytes. */; readonly mrEnclave: string }
  | {
      readonly kind: "mrsigner";
      /** 32 bytes. */
      readonly mrSigner: string;
      readonly isvProdId: number;
      readonly minIsvSvn: number;
    };

/** An SGX enclave that is accepted. */
export type SgxIdentity = Common & {
  readonly kind: "sgx";
  readonly measurement: SgxMeasurement;
  /** 16 bytes: flags, then XFRM. */
  readonly attributes: MaskedBits;
  /** A 32-bit number. */
  readonly miscSelect: MaskedBits;
  /** Key separation and sharing; zero where an enclave does not use it. 64 bytes. */
  readonly configId: OrAnything<string>;
  readonly minConfigSvn: number;
  /** 16 bytes each. */
  readonly isvExtProdId: OrAnything<string>;
  readonly isvFamilyId: OrAnything<string>;
  readonly tcb: DcapTcbPolicy;
  readonly platforms: OrAnything<readonly DcapPlatformId[]>;
};

/** 48 bytes each. The firmware is in mrTd; what runs on it is in RTMRs or, as a digest given at launch, in mrConfigId. */
export type TdxMeasurement = {
  readonly mrTd: string;
  readonly rtmr0: OrAnything<string>;
  readonly rtmr1: OrAnything<string>;
  readonly rtmr2: OrAnything<string>;
  readonly rtmr3: OrAnything<string>;
  readonly mrConfigId: OrAnything<string>;
  readonly mrOwner: OrAnything<string>;
  readonly mrOwnerConfig: OrAnything<string>;
};

/** A TDX trust domain that is accepted. */
export type TdxIdentity = Common & {
  readonly kind: "tdx";
  readonly measurement: TdxMeasurement;
  /** The TDX module; 48 bytes each. Its TCB level is judged by Intel's documents either way. */
  readonly mrSeam: OrAnything<string>;
  readonly mrSignerSeam: OrAnything<string>;
  /** 48 bytes; zero unless a service TD is bound, which may then look inside. */
  readonly mrServiceTd: OrAnything<string>;
  /** 8 bytes each. */
  readonly tdAttributes: MaskedBits;
  readonly xfam: MaskedBits;
  readonly tcb: DcapTcbPolicy;
  readonly platforms: OrAnything<readonly DcapPlatformId[]>;
};

/** Which guest. */
export type SnpMeasurement = {
  /** Of the guest's memory at launch, 48 bytes. */
  readonly launch: string;
  /** Given by the host at launch and unchangeable after: where the digest of an application goes. 32 bytes. */
  readonly hostData: OrAnything<string>;
  /** 48 bytes each. */
  readonly idKeyDigest: OrAnything<string>;
  readonly authorKeyDigest: OrAnything<string>;
  /** 16 bytes each. */
  readonly familyId: OrAnything<string>;
  readonly imageId: OrAnything<string>;
  readonly minGuestSvn: number;
};

/** A chip by its CHIP_ID, 64 bytes. */
export type SnpPlatformId = { readonly kind: "chip"; readonly id: string };

/** An SEV-SNP guest that is accepted. */
export type SnpIdentity = Common & {
  readonly kind: "sev-snp";
  readonly measurement: SnpMeasurement;
  /** 64-bit numbers. */
  readonly guestPolicy: MaskedBits;
  readonly platformInfo: MaskedBits;
  readonly vmpls: readonly number[];
  readonly signingKeys: readonly ("vcek" | "vlek")[];
  /** Whether a revocation list of the ARK must have been at hand. */
  readonly revocation: OrAnything<"checked">;
  readonly tcb: SnpTcbPolicy;
  readonly platforms: OrAnything<readonly SnpPlatformId[]>;
};

/** An enclave of any kind that is accepted; `kind` is the TEE. */
export type EnclaveIdentity = SgxIdentity | TdxIdentity | SnpIdentity;

/** DER of an identity's anchor. */
export function anchorOf(identity: EnclaveIdentity): Uint8Array {
  const der = fromBase64(identity.anchor);
  assertInvariant(der !== undefined, "anchors are base64");
  return der;
}

/** The roots under which evidence may be verified at all, each once, DER. */
export function anchorsOf(identities: readonly EnclaveIdentity[]): readonly Uint8Array[] {
  const anchors = new Map(identities.map((each) => [each.anchor, anchorOf(each)]));
  return [...anchors.values()];
}
