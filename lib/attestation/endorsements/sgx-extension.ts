/** What Intel certifies of a platform beside its key: the SGX extension of a PCK certificate (PCK profile, §1.3.5). */
import { type DerElement, DerReader, TAG } from "../encoding/der.ts";
import type { Certificate } from "./certificate.ts";

/** The extension, and the prefix of everything in it. */
export const SGX_EXTENSION = "1.2.840.113741.1.13.1";

const COMPONENT_COUNT = 16;
const MAX_COMPONENT_SVN = 0xff;
const MAX_PCE_SVN = 0xffff;
/** 0 standard, 1 scalable, 2 scalable with integrity. */
const MAX_SGX_TYPE = 2;

/** A platform as its PCK certificate names it. */
export type CertifiedPlatform = {
  /** 6 bytes. */
  readonly fmspc: Uint8Array;
  /** 2 bytes. */
  readonly pceId: Uint8Array;
  /** 16 bytes; names the processor package. */
  readonly ppid: Uint8Array;
  /** 16 bytes; only under the platform CA. */
  readonly platformInstanceId?: Uint8Array;
  readonly dynamicPlatform?: boolean;
  readonly cachedKeys?: boolean;
  readonly smtEnabled?: boolean;
};

/** The same, and the security versions that its PCK was derived for. */
export type PckPlatform = CertifiedPlatform & {
  /** 16 numbers, 0 to 255 each. */
  readonly componentSvns: readonly number[];
  readonly pceSvn: number;
  /** 16 bytes: the components as the processor writes them. */
  readonly cpuSvn: Uint8Array;
};

/**
 * Reads the extension of a certificate.
 * @throws EvidenceError "malformed-sgx-extension", also where it is missing
 */
export function readSgxExtension({ extensions }: Certificate): PckPlatform {
  const value = extensions.get(SGX_EXTENSION)?.value ?? new Uint8Array();
  const outer = new DerReader(value, "malformed-sgx-extension", "SGX extension");
  const fields = readFields(outer, "fields");
  outer.end();
  const tcb = readTcb(required(fields, outer, 2));
  required(fields, outer, 5).smallUnsigned("SGX type", MAX_SGX_TYPE, TAG.enumerated);
  const instance = fields.get(`${SGX_EXTENSION}.6`);
  return {
    ppid: octets(required(fields, outer, 1), "PPID", 16),
    pceId: octets(required(fields, outer, 3), "PCEID", 2),
    fmspc: octets(required(fields, outer, 4), "FMSPC", 6),
    ...tcb,
    ...(instance && { platformInstanceId: octets(instance, "platform instance", 16) }),
    ...readConfiguration(fields.get(`${SGX_EXTENSION}.7`)),
  };
}

/** Values by their OIDs, each of which stands once; those we do not know are passed over, as they are signed. */
function readFields(parent: DerReader, place: string): ReadonlyMap<string, DerReader> {
  const sequence = parent.sequence(place);
  const fields = new Map<string, DerReader>();
  while (!sequence.isAtEnd) {
    const field = sequence.sequence("field");
    const oid = field.oid("name");
    const value: DerElement = field.any("value");
    field.end();
    if (fields.has(oid)) throw sequence.error(`field ${oid} stands twice`);
    fields.set(oid, sequence.inside(value.encoded, `field ${oid}`));
  }
  return fields;
}

function required(
  fields: ReadonlyMap<string, DerReader>,
  parent: DerReader,
  arc: number,
): DerReader {
  const field = fields.get(`${SGX_EXTENSION}.${arc}`);
  if (field === undefined) throw parent.error(`no field ${SGX_EXTENSION}.${arc}`);
  return field;
}

function octets(field: DerReader, place: string, length: number): Uint8Array {
  const bytes = field.octetString(place);
  if (bytes.byteLength !== length) throw field.error(`${place}: not ${length} bytes`);
  return bytes;
}

/** Components are 2.1 to 2.16, 2.17 is the PCE's version, 2.18 the CPUSVN. */
function readTcb(field: DerReader): Pick<PckPlatform, "componentSvns" | "pceSvn" | "cpuSvn"> {
  const fields = readFields(field, "TCB");
  const part = (arc: number): DerReader => {
    const value = fields.get(`${SGX_EXTENSION}.2.${arc}`);
    if (value === undefined) throw field.error(`no TCB component ${arc}`);
    return value;
  };
  const svn = (arc: number, max: number): number =>
    part(arc).smallUnsigned(`TCB component ${arc}`, max);
  const arcs = Array.from({ length: COMPONENT_COUNT }, (_, index) => index + 1);
  return {
    componentSvns: arcs.map((arc) => svn(arc, MAX_COMPONENT_SVN)),
    pceSvn: svn(COMPONENT_COUNT + 1, MAX_PCE_SVN),
    cpuSvn: octets(part(COMPONENT_COUNT + 2), "CPUSVN", 16),
  };
}

/** Under the platform CA only. */
function readConfiguration(
  field: DerReader | undefined,
): Pick<CertifiedPlatform, "dynamicPlatform" | "cachedKeys" | "smtEnabled"> {
  if (field === undefined) return {};
  const flags = readFields(field, "configuration");
  const flag = (arc: number) => flags.get(`${SGX_EXTENSION}.7.${arc}`)?.boolean("flag");
  const [dynamicPlatform, cachedKeys, smtEnabled] = [flag(1), flag(2), flag(3)];
  return {
    ...(dynamicPlatform !== undefined && { dynamicPlatform }),
    ...(cachedKeys !== undefined && { cachedKeys }),
    ...(smtEnabled !== undefined && { smtEnabled }),
  };
}
