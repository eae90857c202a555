/** Makes a server on loopback answer as Intel's PCS or as a PCCS does. */
import { toHex } from "../../../base/bytes.ts";
import type { DcapCollateral } from "../../endorsements/dcap-collateral.ts";
import type { VendorServer } from "./vendor-server.ts";

/** How services differ. */
export type Dialect = {
  /** Of the TCB info's issuer chain. */
  readonly tcbHeader: string;
  /** PCCS gives the root's list in hex; PCS has it elsewhere, in DER. */
  readonly rootCrlInHex: boolean;
  /** Caches that do not know the parameter "encoding" give hex. */
  readonly pckCrlInHex: boolean;
};

/** Intel's own service. */
export const PCS: Dialect = {
  tcbHeader: "TCB-Info-Issuer-Chain",
  rootCrlInHex: false,
  pckCrlInHex: false,
};
/** A current cache. */
export const PCCS: Dialect = { ...PCS, rootCrlInHex: true };
/** A cache of the time of version 3. */
export const OLD_PCCS: Dialect = {
  tcbHeader: "SGX-TCB-Info-Issuer-Chain",
  rootCrlInHex: true,
  pckCrlInHex: true,
};

/** Serves one set, for SGX and TDX alike. */
export function serveCollateral(server: VendorServer, set: DcapCollateral, dialect: Dialect): void {
  const chain = (header: string, pem: string) => ({ [header]: encodeURIComponent(pem) });
  const rootCrl = dialect.rootCrlInHex ? toHex(set.rootCaCrl) : set.rootCaCrl;
  server.reply("/sgx/certification/v4/rootcacrl", { body: rootCrl });
  server.reply("/IntelSGXRootCA.der", { body: set.rootCaCrl });
  server.reply("/sgx/certification/v4/pckcrl", {
    headers: chain("SGX-PCK-CRL-Issuer-Chain", set.pckCrlIssuerChain),
    body: dialect.pckCrlInHex ? toHex(set.pckCrl) : set.pckCrl,
  });
  for (const tee of ["sgx", "tdx"]) {
    server.reply(`/${tee}/certification/v4/tcb`, {
      headers: chain(dialect.tcbHeader, set.tcbInfoIssuerChain),
      body: signed("tcbInfo", set.tcbInfo, set.tcbInfoSignature),
    });
    server.reply(`/${tee}/certification/v4/qe/identity`, {
      headers: chain("SGX-Enclave-Identity-Issuer-Chain", set.qeIdentityIssuerChain),
      body: signed("enclaveIdentity", set.qeIdentity, set.qeIdentitySignature),
    });
  }
}

/** {"member":text,"signature":"hex"} with the text as it is. */
export const signed = (member: string, text: string, signature: Uint8Array): string =>
  `{"${member}":${text},"signature":"${toHex(signature)}"}`;
