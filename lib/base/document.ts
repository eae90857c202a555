/** Documents that parties exchange as files: one JSON object in canonical form that starts from kind and version. */
import * as z from "zod/mini";
import { utf8 } from "./bytes.ts";
import {
  CanonicalJsonError,
  canonicalJson,
  type Json,
  parseCanonicalJson,
} from "./canonical-json.ts";
import { CodedError } from "./refusal.ts";

// Checked once, for every schema of the process: no code may be made from strings inside an enclave.
z.config({ jitless: true });

export class DocumentError extends CodedError<
  "too-large" | "not-canonical" | "wrong-kind" | "unsupported-version" | "bad-shape"
> {}

/** What a document says it is: "fedclave/<what>", and the version of that format. */
export type DocumentType = {
  readonly kind: string;
  readonly version: number;
  readonly maxBytes: number;
};

/**
 * Parses the exact bytes of a document. The schema is asked last, so that a newer format is reported as such.
 * @param schema  of the whole object, strict; `kind` and `version` included
 * @throws DocumentError
 */
export function parseDocument<T>(
  bytes: Uint8Array,
  type: DocumentType,
  schema: z.ZodMiniType<T>,
): T {
  if (bytes.byteLength > type.maxBytes) {
    throw new DocumentError("too-large", `${type.kind} is limited to ${type.maxBytes} bytes`);
  }
  const value = parseJson(bytes, type.kind);
  const { kind, version } = headOf(value);
  if (kind !== type.kind) {
    throw new DocumentError("wrong-kind", `this is not a ${type.kind}`);
  }
  if (version !== type.version) {
    throw new DocumentError(
      "unsupported-version",
      `only version ${type.version} of ${kind} is known`,
    );
  }
  return parseShape(value, type.kind, schema);
}

/** The bytes that parseDocument reads. */
export function writeDocument(value: Json): Uint8Array {
  return utf8(canonicalJson(value));
}

/**
 * Canonical JSON in UTF-8 without a byte order mark.
 * @param what  for the message
 * @throws DocumentError "not-canonical"
 */
export function parseJson(bytes: Uint8Array, what: string): Json {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return parseCanonicalJson(text);
  } catch (cause) {
    if (!(cause instanceof TypeError || cause instanceof CanonicalJsonError)) throw cause;
    throw new DocumentError("not-canonical", `${what} is not canonical JSON`, { cause });
  }
}

/**
 * The value, if it has the shape of the schema.
 * @throws DocumentError "bad-shape", naming the place but no value
 */
export function parseShape<T>(value: unknown, what: string, schema: z.ZodMiniType<T>): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const place = issue === undefined ? "" : ` at "${issue.path.join(".")}" (${issue.code})`;
  throw new DocumentError("bad-shape", `${what} does not have its fields${place}`);
}

function headOf(value: Json): { kind?: unknown; version?: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as { kind?: unknown; version?: unknown })
    : {};
}
