/** The SGX extension of PCK certificates (Intel PCK certificate and CRL profile specification 1.5 §1.3.5). */
import type { CertificateExtension } from "../../../../base/certificate-writer.ts";
import {
  boolean,
  type DerValue,
  enumerated,
  integer,
  objectIdentifier,
  octetString,
  sequence,
} from "../../../../base/der-writer.ts";
import { exactly } from "./byte-layout.ts";

/** What a PCK certificate says of its platform. */
export type SgxExtensionFields = {
  /** 16 bytes. */
  readonly ppid: Uint8Array;
  /** 16 security versions, 0 to 255. */
  readonly components: readonly number[];
  readonly pceSvn: number;
  /** 16 bytes, as reports have it. */
  readonly cpuSvn: Uint8Array;
  /** 2 bytes. */
  readonly pceId: Uint8Array;
  /** 6 bytes. */
  readonly fmspc: Uint8Array;
  /** What the platform CA says besides; the processor CA says nothing. */
  readonly instance?: {
    /** 16 bytes. */
    readonly id: Uint8Array;
    readonly dynamicPlatform: boolean;
    readonly cachedKeys: boolean;
    readonly smtEnabled: boolean;
  };
};

const SGX = "1.2.840.113741.1.13.1";
/** SGXType: a platform whose memory is encrypted, without integrity; 0 would be a client's. */
const SCALABLE = 1;
const STANDARD = 0;

/** Not critical. */
export function sgxExtension(fields: SgxExtensionFields): CertificateExtension {
  const { instance } = fields;
  const components = fields.components.map((svn, index) => entry(`2.${index + 1}`, integer(svn)));
  const tcb = sequence(
    ...components,
    entry("2.17", integer(fields.pceSvn)),
    entry("2.18", octetString(exactly(16, fields.cpuSvn))),
  );
  const configuration =
    instance === undefined
      ? []
      : [
          entry("6", octetString(exactly(16, instance.id))),
          entry(
            "7",
            sequence(
              entry("7.1", boolean(instance.dynamicPlatform)),
              entry("7.2", boolean(instance.cachedKeys)),
              entry("7.3", boolean(instance.smtEnabled)),
            ),
          ),
        ];
  const value = sequence(
    entry("1", octetString(exactly(16, fields.ppid))),
    entry("2", tcb),
    entry("3", octetString(exactly(2, fields.pceId))),
    entry("4", octetString(exactly(6, fields.fmspc))),
    entry("5", enumerated(instance === undefined ? STANDARD : SCALABLE)),
    ...configuration,
  );
  return { oid: SGX, critical: false, value };
}

const entry = (arcs: string, value: DerValue): DerValue =>
  sequence(objectIdentifier(`${SGX}.${arcs}`), value);
