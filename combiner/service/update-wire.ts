/** An offered update between wire and core. */
import { refused } from "../../lib/base/refusal.ts";
import type { OfferedUpload } from "../../lib/transport/serve-upload.ts";
import { parseUpdateHeader } from "../../lib/transport/update-header-message.ts";
import type { UnverifiedUpdate } from "../core/upload-admission.ts";

/**
 * The update that an upload's header offers.
 * @throws RefusedError "wrong-subject" and the reasons of parseUpdateHeader
 */
export function parseUpdate({ header, sizeBytes, digest }: OfferedUpload): UnverifiedUpdate {
  if (header.subject !== "update" || header.update == null) {
    throw refused("wrong-subject", header.subject ?? "nothing", "an update");
  }
  return { sizeBytes, digest, ...parseUpdateHeader(header.update) };
}
