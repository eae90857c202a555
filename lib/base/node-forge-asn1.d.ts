/** The part of node-forge that is bundled: its ASN.1 writer alone, without its own cryptography. */
declare module "node-forge/lib/asn1.js" {
  import type { asn1 } from "node-forge";

  const writer: Pick<typeof asn1, "create" | "toDer">;
  export = writer;
}
