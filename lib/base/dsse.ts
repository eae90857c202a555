/** DSSE pre-authentication encoding (DSSE v1 protocol specification): what is signed names its own type. */
import { concatBytes, utf8 } from "./bytes.ts";

/** "DSSEv1" SP len(type) SP type SP len(body) SP body; lengths are decimal byte counts. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = utf8(payloadType);
  return concatBytes(
    utf8(`DSSEv1 ${type.byteLength} `),
    type,
    utf8(` ${payload.byteLength} `),
    payload,
  );
}
