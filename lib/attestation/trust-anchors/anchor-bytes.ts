/** How roots are written down in these files. */
import { fromBase64 } from "../../base/base64.ts";
import { assertInvariant } from "../../base/refusal.ts";

/** DER of a certificate. @param text  base64 over several lines */
export function anchorBytes(text: string): Uint8Array {
  const bytes = fromBase64(text.replaceAll("\n", ""));
  assertInvariant(bytes !== undefined, "trust anchors are base64");
  return bytes;
}
