import { printable } from "../base/refusal.ts";
import { MAX_TENSOR_NAME_BYTES } from "./limits.ts";
import { TensorError } from "./tensor-error.ts";

/**
 * Names are 1 to 256 bytes of well-formed UTF-8 without control characters and line separators. They are never
 * used as paths or object keys, so dots, slashes and "__proto__" are ordinary; safetensors reserves one word.
 * @throws TensorError "bad-name"
 */
export function checkTensorName(name: string): void {
  const bad = /[\p{Cc}\p{Cs}\u2028\u2029]/u.test(name) || name === "" || name === "__metadata__";
  if (bad || Buffer.byteLength(name) > MAX_TENSOR_NAME_BYTES) {
    throw new TensorError("bad-name", `${JSON.stringify(printable(name))} cannot name a tensor`);
  }
}

/** Order of UTF-8 bytes, which is the order of code points; JavaScript's own order differs past U+FFFF. */
export const compareNames = (a: string, b: string): number =>
  Buffer.compare(Buffer.from(a), Buffer.from(b));
