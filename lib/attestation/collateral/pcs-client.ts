/** Intel's Provisioning Certification Service, version 4, and caches that speak like it (PCCS). No key is needed. */
import { type CollateralSource, type DcapPlatformKey, nameOfDcap } from "./collateral-source.ts";
import { fetchObject, type ObjectPlace, type Service, serviceAddress } from "./fetch-object.ts";
import type { HttpGet } from "./http-get.ts";
import { readCrl, readPckCrl, readQeIdentity, readTcbInfo } from "./pcs-answers.ts";
import type { TlsTrust } from "./tls-trust.ts";

/**
 * Which of two sets Intel serves after it found flaws: "early" holds the new levels at once, "standard" (Intel's
 * default) only when platforms had months to follow, so that fewer are out of date.
 */
export type TcbUpdate = "early" | "standard";

/** Which service, and which of its documents. */
export type PcsSettings = {
  /** Intel's own service has the root's revocation list elsewhere; a PCCS serves it itself. */
  readonly kind: "pcs" | "pccs";
  /** "https://localhost:8081"; a path "/sgx/certification/v4/" at the end, as Intel's quote library has it, is fine. */
  readonly baseUrl: string;
  /** For "pcs": where the root's revocation list is. Never taken from a certificate, which may name any host. */
  readonly rootCrlUrl?: string;
  readonly update: TcbUpdate;
  /** For a PCCS with a certificate of its own making, or a proxy that opens TLS; for every address here. */
  readonly tls?: TlsTrust;
};

/** Intel's own service. */
export const INTEL_PCS: PcsSettings = {
  kind: "pcs",
  baseUrl: "https://api.trustedservices.intel.com",
  rootCrlUrl: "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der",
  update: "standard",
};

/**
 * A source of DCAP endorsements.
 * @param get  retries included
 * @throws CollateralError "bad-address"
 */
export function pcsClient(settings: PcsSettings, get: HttpGet): Pick<CollateralSource, "dcap"> {
  const name = settings.kind === "pcs" ? "Intel's PCS" : "the PCCS";
  const tls = settings.tls === undefined ? {} : { tls: settings.tls };
  const base = serviceAddress(settings.baseUrl, /\/sgx\/certification\/v\d\/$/);
  const service: Service = { name, base, ...tls };
  const rootCrl = rootCrlPlace(settings, service);
  return {
    dcap: async (key) => {
      const [rootCaCrl, pckCrl, tcbInfo, qeIdentity] = await Promise.all([
        fetchObject(get, rootCrl.service, rootCrl.place, readCrl),
        fetchObject(get, service, pckCrlPlace(key), readPckCrl),
        fetchObject(get, service, tcbInfoPlace(key, settings.update), readTcbInfo),
        fetchObject(get, service, qeIdentityPlace(key, settings.update), readQeIdentity),
      ]);
      return { rootCaCrl, ...pckCrl, ...tcbInfo, ...qeIdentity };
    },
  };
}

function rootCrlPlace(
  { kind, rootCrlUrl }: PcsSettings,
  service: Service,
): { readonly service: Service; readonly place: ObjectPlace } {
  const what = "revocation list of the Intel SGX Root CA";
  if (kind === "pccs") {
    const path = "sgx/certification/v4/rootcacrl";
    return { service, place: { what, path, absent: "not-served" } };
  }
  // The list has a host of its own: the URL is taken whole.
  const base = serviceAddress(rootCrlUrl ?? "");
  const path = base.href.replace(/\/$/, "");
  return { service: { ...service, base }, place: { what, path, absent: "not-served" } };
}

const pckCrlPlace = (key: DcapPlatformKey): ObjectPlace => ({
  what: `revocation list of the PCK ${key.pckCa} CA`,
  path: `sgx/certification/v4/pckcrl?ca=${key.pckCa}&encoding=der`,
  absent: "not-served",
});

const tcbInfoPlace = (key: DcapPlatformKey, update: TcbUpdate): ObjectPlace => ({
  what: `TCB info of ${nameOfDcap(key)}`,
  path: `${key.tee}/certification/v4/tcb?fmspc=${key.fmspc.toUpperCase()}&update=${update}`,
  absent: "unknown-platform",
});

const qeIdentityPlace = (key: DcapPlatformKey, update: TcbUpdate): ObjectPlace => ({
  what: `identity of Intel's ${key.tee.toUpperCase()} quoting enclave`,
  path: `${key.tee}/certification/v4/qe/identity?update=${update}`,
  absent: "not-served",
});
