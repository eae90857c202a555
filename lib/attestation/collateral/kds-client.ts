/** AMD's Key Distribution Service: certificates of chips and who vouches for them (AMD 57230, chapter 4). */
import { toHex } from "../../base/bytes.ts";
import { assertInvariant } from "../../base/refusal.ts";
import { findPemBlocks } from "../encoding/pem.ts";
import { parseCertificate } from "../endorsements/certificate.ts";
import { EvidenceError } from "../evidence-error.ts";
import { CollateralError } from "./collateral-error.ts";
import {
  type CollateralSource,
  nameOfAuthority,
  nameOfChip,
  type SnpPlatformKey,
} from "./collateral-source.ts";
import { fetchObject, type Service, serviceAddress } from "./fetch-object.ts";
import type { HttpAnswer, HttpGet } from "./http-get.ts";
import { readCrl } from "./pcs-answers.ts";
import type { TlsTrust } from "./tls-trust.ts";

/** Which service, and whom to believe that it is. */
export type KdsSettings = {
  /** AMD's own service, or a mirror with the same paths. */
  readonly baseUrl: string;
  readonly tls?: TlsTrust;
};

/** AMD's own service. It answers few requests a minute from one address: cache what it gives. */
export const AMD_KDS: KdsSettings = { baseUrl: "https://kdsintf.amd.com" };

/** Turin's chips are named by their first bytes only. */
const TURIN_HARDWARE_ID_BYTES = 8;

/**
 * A source of SNP endorsements.
 * @param get  retries included
 * @throws CollateralError "bad-address"
 */
export function kdsClient(
  settings: KdsSettings,
  get: HttpGet,
): Pick<CollateralSource, "vcek" | "snpAuthority"> {
  const tls = settings.tls === undefined ? {} : { tls: settings.tls };
  const service: Service = { name: "AMD's KDS", base: serviceAddress(settings.baseUrl), ...tls };
  return {
    vcek: async (key) => {
      const what = `VCEK of ${nameOfChip(key)}`;
      if (key.chipId.every((byte) => byte === 0)) throw maskedChip(what);
      const place = { what, path: vcekPath(key), absent: "unknown-platform" } as const;
      return fetchObject(get, service, place, readCertificate);
    },
    snpAuthority: async (key) => {
      const what = nameOfAuthority(key);
      const folder = `${key.signingKey}/v1/${key.product}`;
      const place = (object: string, path: string) =>
        ({ what: `${object} of the ${what}`, path, absent: "not-served" }) as const;
      const [chain, crl] = await Promise.all([
        fetchObject(get, service, place("chain", `${folder}/cert_chain`), readChain),
        fetchObject(get, service, place("revocation list", `${folder}/crl`), readCrl),
      ]);
      return { chain, crl };
    },
  };
}

/** "vcek/v1/Milan/<hwid>?blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=115"; for Turin with fmcSPL before these. */
export function vcekPath({ product, chipId, reportedTcb }: SnpPlatformKey): string {
  const { fmc, bootloader, tee, snp, microcode } = reportedTcb;
  const isTurin = product === "Turin";
  assertInvariant(!isTurin || fmc !== undefined, "the TCB of a Turin chip has a level of its FMC");
  const hardwareId = toHex(isTurin ? chipId.subarray(0, TURIN_HARDWARE_ID_BYTES) : chipId);
  const levels: readonly (readonly [string, number])[] = [
    ...(isTurin ? [["fmcSPL", fmc ?? 0] as const] : []),
    ["blSPL", bootloader],
    ["teeSPL", tee],
    ["snpSPL", snp],
    ["ucodeSPL", microcode],
  ];
  const query = levels.map(([name, level]) => `${name}=${String(level).padStart(2, "0")}`);
  return `vcek/v1/${product}/${hardwareId}?${query.join("&")}`;
}

function readCertificate({ body }: HttpAnswer): Uint8Array {
  parseCertificate(body);
  return body;
}

function readChain({ body }: HttpAnswer): readonly Uint8Array[] {
  const blocks = findPemBlocks(body);
  if (blocks.length !== 2 || blocks.some(({ label }) => label !== "CERTIFICATE")) {
    throw new EvidenceError("malformed-collateral", "not the two certificates of a chain in PEM");
  }
  for (const { der } of blocks) parseCertificate(der);
  return blocks.map(({ der }) => der);
}

const maskedChip = (what: string): CollateralError =>
  new CollateralError(
    "unknown-platform",
    `${what}: the report names no chip, because its host masks it or signs with a VLEK; have the host give the certificate with the report (its certificate table)`,
  );
