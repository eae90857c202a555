/** What a simulated TEE measures: a hash of code that somebody names, in place of what hardware would measure. */
import { createHash } from "node:crypto";
import { lengthPrefixed, sha256, utf8 } from "../../../base/bytes.ts";
import type { Tee } from "../../verification/claims.ts";
import type { SimulatedMeasurement } from "./simulated-attester.ts";

const LABEL = utf8("fedclave/simulated-measurement/1\0");
/** MRSIGNER of every simulated enclave: a signer that does not exist. */
const MRSIGNER = sha256(utf8("fedclave/simulated-signer/1"));

/**
 * The measurement of an enclave, domain or guest that runs these files: MRENCLAVE is SHA-256, MRTD and the SNP
 * measurement are SHA-384, over "fedclave/simulated-measurement/1" NUL and each file, its length before it.
 * @param files  in an order that is always the same
 */
export function measureCode(tee: Tee, files: readonly Uint8Array[]): SimulatedMeasurement {
  const hash = createHash(tee === "sgx" ? "sha256" : "sha384").update(LABEL);
  for (const file of files) hash.update(lengthPrefixed(file));
  const digest = new Uint8Array(hash.digest());
  switch (tee) {
    case "sgx":
      return { tee, mrEnclave: digest, mrSigner: MRSIGNER, isvProdId: 1, isvSvn: 1 };
    case "tdx":
      return { tee, mrTd: digest };
    case "sev-snp":
      return { tee, measurement: digest };
  }
}
