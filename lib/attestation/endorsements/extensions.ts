/** X.509 extensions: the list, and the values that say what a certificate may be used for. */
import { type DerReader, TAG } from "../encoding/der.ts";

/** An X.509 extension; the value is the content of its OCTET STRING, DER as a rule. */
export type Extension = { readonly critical: boolean; readonly value: Uint8Array };
/** By dotted object identifier, in the order of the certificate. */
export type Extensions = ReadonlyMap<string, Extension>;

/** Extensions that are read here, by object identifier (RFC 5280 §4.2.1, §5.2). */
export const OID = {
  keyUsage: "2.5.29.15",
  basicConstraints: "2.5.29.19",
  crlNumber: "2.5.29.20",
  reasonCode: "2.5.29.21",
  invalidityDate: "2.5.29.24",
  deltaCrlIndicator: "2.5.29.27",
  issuingDistributionPoint: "2.5.29.28",
  certificateIssuer: "2.5.29.29",
  authorityKeyIdentifier: "2.5.29.35",
} as const;

/**
 * Reads the values inside an Extensions sequence (RFC 5280 §4.2): at least one, none twice, and no default written out.
 * @throws EvidenceError of the reader's code
 */
export function readExtensions(list: DerReader): Extensions {
  const extensions = new Map<string, Extension>();
  do {
    const each = list.sequence("extension");
    const oid = each.oid("extension");
    const critical = each.nextTag === TAG.boolean;
    if (critical && !each.boolean("critical")) throw each.error("a default that is written out");
    const value = each.octetString("value");
    each.end();
    if (extensions.has(oid)) throw list.error(`extension ${oid} twice`);
    extensions.set(oid, { critical, value });
  } while (!list.isAtEnd);
  return extensions;
}

/** Whether, and how deep, a certificate may issue others. */
export type Authority = {
  readonly isAuthority: boolean;
  /** How many authorities may stand between it and an end certificate; absent means any number. */
  readonly pathLength?: number;
};

/** Deeper than any chain there is. */
const MAX_PATH_LENGTH = 255;

/** Reads basicConstraints (RFC 5280 §4.2.1.9); without it a certificate is no authority. @throws EvidenceError */
export function readAuthority(parent: DerReader, extensions: Extensions): Authority {
  const extension = extensions.get(OID.basicConstraints);
  if (extension === undefined) return { isAuthority: false };
  const whole = parent.inside(extension.value, "basicConstraints");
  const fields = whole.sequence("basicConstraints");
  whole.end();
  if (fields.isAtEnd) return { isAuthority: false };
  if (!fields.boolean("cA")) throw fields.error("a default that is written out");
  if (fields.isAtEnd) return { isAuthority: true };
  const pathLength = fields.smallUnsigned("pathLenConstraint", MAX_PATH_LENGTH);
  fields.end();
  return { isAuthority: true, pathLength };
}

/** Uses of a key, in the order of their bits. */
const KEY_USAGES = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
] as const;
export type KeyUsage = (typeof KEY_USAGES)[number];

/** Reads keyUsage (RFC 5280 §4.2.1.3); undefined if there is none, which permits all. @throws EvidenceError */
export function readKeyUsage(
  parent: DerReader,
  extensions: Extensions,
): ReadonlySet<KeyUsage> | undefined {
  const extension = extensions.get(OID.keyUsage);
  if (extension === undefined) return undefined;
  const whole = parent.inside(extension.value, "keyUsage");
  const bits = whole.namedBits("keyUsage");
  whole.end();
  const usages = bits.map((bit) => KEY_USAGES[bit]);
  if (usages.length === 0) throw whole.error("permits nothing");
  return new Set(
    usages.map((usage) => {
      if (usage === undefined) throw whole.error("a bit that has no meaning");
      return usage;
    }),
  );
}
