/**
 * What AMD certifies of the key that signs SNP reports: which chip or cloud provider holds it, at which security
 * versions (AMD 57230, "VCEK Certificate and KDS Interface Specification", table of X.509 extensions).
 */
import { DerReader, TAG } from "../encoding/der.ts";
import type { SnpProduct } from "../evidence/snp-tcb.ts";
import { EvidenceError } from "../evidence-error.ts";
import type { Certificate } from "./certificate.ts";

/** The key of one chip (VCEK), or one that a cloud provider's chips share (VLEK). */
export type SnpSigner = {
  readonly kind: "vcek" | "vlek";
  readonly product: SnpProduct;
  /** As certified: "Milan-B0", "Genoa". */
  readonly productName: string;
  /** 8 bytes in the order of a TCB_VERSION: what the key was derived for. */
  readonly tcb: Uint8Array;
  /** VCEK only: 64 bytes, the chip's id; 8 bytes on Turin, its beginning. */
  readonly hardwareId?: Uint8Array;
  /** VLEK only: "CN=cc-us-east-2.amazonaws.com". */
  readonly cloudProvider?: string;
};

const AMD = "1.3.6.1.4.1.3704.1";
const PRODUCT_OID = `${AMD}.2`;
const HARDWARE_ID_OID = `${AMD}.4`;
const CLOUD_PROVIDER_OID = `${AMD}.5`;

/** For each byte of a TCB_VERSION the last arc of the extension that certifies it, below AMD's `.3`. */
const TCB_ARCS: Readonly<Record<SnpProduct, readonly number[]>> = {
  Milan: [1, 2, 4, 5, 6, 7, 3, 8],
  Genoa: [1, 2, 4, 5, 6, 7, 3, 8],
  Turin: [9, 1, 2, 3, 5, 6, 7, 8],
};

const HARDWARE_ID_BYTES: Readonly<Record<SnpProduct, number>> = { Milan: 64, Genoa: 64, Turin: 8 };

/** Names of product lines in certificates, before an optional stepping; the last two are Genoa's dense variants. */
const PRODUCT_LINES: ReadonlyMap<string, SnpProduct> = new Map([
  ["Milan", "Milan"],
  ["Genoa", "Genoa"],
  ["Turin", "Turin"],
  ["Bergamo", "Genoa"],
  ["Siena", "Genoa"],
]);

/**
 * Reads AMD's extensions of a certificate that is named as one of an SNP signer; its profile is checked elsewhere.
 *
 * @throws EvidenceError "malformed-certificate"
 */
export function readSnpSigner(certificate: Certificate): SnpSigner {
  const kind = kindOf(certificate);
  const productName = ia5Text(certificate, PRODUCT_OID, "product name");
  const product = productOf(productName);
  if (product === undefined) throw malformed(`product ${productName} is not known`);
  const tcb = Uint8Array.from(TCB_ARCS[product], (arc) => securityVersion(certificate, arc));
  const common = { kind, product, productName, tcb };
  if (kind === "vlek") {
    if (certificate.extensions.has(HARDWARE_ID_OID)) throw malformed("a VLEK names no chip");
    const cloudProvider = ia5Text(certificate, CLOUD_PROVIDER_OID, "cloud provider");
    return { ...common, cloudProvider };
  }
  if (certificate.extensions.has(CLOUD_PROVIDER_OID)) throw malformed("a VCEK names no provider");
  return { ...common, hardwareId: readHardwareId(certificate, HARDWARE_ID_BYTES[product]) };
}

/** The product line of a certified product name, with or without a stepping; undefined if it is none we know. */
export function productOf(name: string): SnpProduct | undefined {
  const [, line] = /^([A-Z][a-z]+)(?:-[A-Z][0-9]+)?$/.exec(name) ?? [];
  return line === undefined ? undefined : PRODUCT_LINES.get(line);
}

function kindOf({ commonName }: Certificate): SnpSigner["kind"] {
  if (commonName === "SEV-VCEK") return "vcek";
  if (commonName === "SEV-VLEK") return "vlek";
  throw malformed(`${commonName} is not the name of a key that signs reports`);
}

/** AMD writes the bytes themselves where DER belongs; an OCTET STRING of them is read too. */
function readHardwareId(certificate: Certificate, sizeBytes: number): Uint8Array {
  const place = "hardware id";
  const value = extensionValue(certificate, HARDWARE_ID_OID, place);
  const hardwareId =
    value.byteLength === sizeBytes
      ? value
      : onlyValue(certificate, HARDWARE_ID_OID, place, (reader) => reader.octetString(place));
  if (hardwareId.byteLength !== sizeBytes) {
    throw malformed(`a hardware id of ${hardwareId.byteLength} bytes`);
  }
  return hardwareId;
}

const securityVersion = (certificate: Certificate, arc: number): number =>
  onlyValue(certificate, `${AMD}.3.${arc}`, `security version ${arc}`, (reader, place) =>
    reader.smallUnsigned(place, 255),
  );

const ia5Text = (certificate: Certificate, oid: string, place: string): string =>
  onlyValue(certificate, oid, place, (reader) =>
    Buffer.from(reader.element(TAG.ia5String, place).content).toString("latin1"),
  );

/** Reads an extension that holds one DER value. */
function onlyValue<Value>(
  certificate: Certificate,
  oid: string,
  place: string,
  read: (reader: DerReader, place: string) => Value,
): Value {
  const bytes = extensionValue(certificate, oid, place);
  const reader = new DerReader(bytes, "malformed-certificate", "SNP signer's certificate");
  const value = read(reader, place);
  reader.end();
  return value;
}

function extensionValue(certificate: Certificate, oid: string, place: string): Uint8Array {
  const extension = certificate.extensions.get(oid);
  if (extension === undefined) throw malformed(`no ${place}`);
  return extension.value;
}

const malformed = (what: string): EvidenceError =>
  new EvidenceError("malformed-certificate", `SNP signer's certificate: ${what}`);
