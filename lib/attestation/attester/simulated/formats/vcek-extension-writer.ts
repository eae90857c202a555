/** Extensions of VCEK and VLEK certificates (AMD 57230, table of X.509 extensions). */
import type { CertificateExtension } from "../../../../base/certificate-writer.ts";
import { type DerValue, ia5String, integer } from "../../../../base/der-writer.ts";
import type { SnpProduct, SnpTcb } from "../../../evidence/snp-tcb.ts";
import { tcbVersion } from "./snp-report-writer.ts";

/** What AMD certifies of the key that signs reports. */
export type SnpSignerFields = {
  readonly product: SnpProduct;
  /** "Milan-B0"; the VLEK names no stepping. */
  readonly productName: string;
  readonly tcb: SnpTcb;
  readonly holder: /** 64 bytes, 8 from Turin on. */
    | { readonly kind: "vcek"; readonly hardwareId: Uint8Array }
    /** "CN=…" */
    | { readonly kind: "vlek"; readonly cloudProvider: string };
};

const AMD = "1.3.6.1.4.1.3704.1";
const EARLIER_ARCS = [1, 2, 4, 5, 6, 7, 3, 8];
/** For each byte of a TCB_VERSION the last arc of its extension. */
const TCB_ARCS: Readonly<Record<SnpProduct, readonly number[]>> = {
  Milan: EARLIER_ARCS,
  Genoa: EARLIER_ARCS,
  Turin: [9, 1, 2, 3, 5, 6, 7, 8],
};
/** Of the structure of these extensions: 1 from Turin on. */
const STRUCTURE_VERSIONS: Readonly<Record<SnpProduct, number>> = { Milan: 0, Genoa: 0, Turin: 1 };

/** All extensions; AMD's leafs have no other, not even key usage. */
export function snpSignerExtensions(fields: SnpSignerFields): readonly CertificateExtension[] {
  const { product, holder } = fields;
  const svns = tcbVersion(product, fields.tcb);
  const versions = TCB_ARCS[product].map((arc, index) =>
    extension(`3.${arc}`, integer(svns[index] ?? 0)),
  );
  // The hardware id stands there as it is: the one value that is not DER.
  const last =
    holder.kind === "vcek"
      ? extension("4", holder.hardwareId)
      : extension("5", ia5String(holder.cloudProvider));
  return [
    extension("1", integer(STRUCTURE_VERSIONS[product])),
    extension("2", ia5String(fields.productName)),
    ...versions,
    last,
  ];
}

const extension = (arcs: string, value: DerValue | Uint8Array): CertificateExtension => ({
  oid: `${AMD}.${arcs}`,
  critical: false,
  value,
});
