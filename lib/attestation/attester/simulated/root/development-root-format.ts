/** The files of a development root: canonical JSON, binary values in base64. They hold private keys. */
import { createPrivateKey, type KeyObject } from "node:crypto";
import { fromBase64, toBase64 } from "../../../../base/base64.ts";
import { canonicalJson, type Json } from "../../../../base/canonical-json.ts";
import { isoTime } from "../../../../base/iso-time.ts";
import { Secret } from "../../../../base/secret.ts";
import { type JsonFields, type JsonValue, parseJson } from "../../../encoding/json-fields.ts";
import { EvidenceError } from "../../../evidence-error.ts";
import type { SnpAuthorityMaterial } from "../authorities/snp-authority.ts";
import type { DevelopmentRoot } from "./development-root.ts";
import { DevelopmentRootError } from "./development-root-error.ts";

/** What is kept of a root besides its products' RSA keys. */
export type KeptRoot = Omit<DevelopmentRoot, "snp">;

const ROOT_KIND = "fedclave/development-root";
const SNP_KIND = "fedclave/development-snp-authority";
const VERSION = 1;
const MAX_FILE_LENGTH = 64 * 1024;
const SEED_BYTES = 32;

/** Text of `root.json`. */
export const writeKeptRoot = ({ seed, createdAtMs, dcap }: KeptRoot): Secret<string> =>
  writeFile(ROOT_KIND, {
    seed: toBase64(seed.reveal()),
    createdAt: isoTime(createdAtMs),
    root: toBase64(dcap.root),
    platformCa: toBase64(dcap.platform),
    processorCa: toBase64(dcap.processor),
    tcbSigning: toBase64(dcap.tcbSigning),
  });

/** @throws DevelopmentRootError "root-broken" */
export function readKeptRoot(text: Secret<string>): KeptRoot {
  return readFile(
    text,
    ROOT_KIND,
    ["seed", "createdAt", "root", "platformCa", "processorCa", "tcbSigning"],
    (fields) => {
      const seed = bytes(fields.get("seed"));
      if (seed.byteLength !== SEED_BYTES) throw fields.get("seed").error("not 32 bytes");
      return {
        seed: new Secret(seed),
        createdAtMs: fields.get("createdAt").time(),
        dcap: {
          root: bytes(fields.get("root")),
          platform: bytes(fields.get("platformCa")),
          processor: bytes(fields.get("processorCa")),
          tcbSigning: bytes(fields.get("tcbSigning")),
        },
      };
    },
  );
}

/** Text of a product's file. */
export const writeSnpMaterial = ({ keys, certificates }: SnpAuthorityMaterial): Secret<string> =>
  writeFile(SNP_KIND, {
    arkKey: keyText(keys.ark),
    askKey: keyText(keys.ask),
    ark: toBase64(certificates.ark),
    ask: toBase64(certificates.ask),
    asvk: toBase64(certificates.asvk),
  });

/** @throws DevelopmentRootError "root-broken" */
export function readSnpMaterial(text: Secret<string>): SnpAuthorityMaterial {
  return readFile(text, SNP_KIND, ["arkKey", "askKey", "ark", "ask", "asvk"], (fields) => ({
    keys: { ark: key(fields.get("arkKey")), ask: key(fields.get("askKey")) },
    certificates: {
      ark: bytes(fields.get("ark")),
      ask: bytes(fields.get("ask")),
      asvk: bytes(fields.get("asvk")),
    },
  }));
}

const writeFile = (kind: string, fields: Readonly<Record<string, Json>>): Secret<string> =>
  new Secret(`${canonicalJson({ kind, version: VERSION, ...fields })}\n`);

/** The text is this installation's own: whatever is wrong with it, it is of no more use. */
function readFile<Key extends string, Value>(
  text: Secret<string>,
  kind: string,
  keys: readonly Key[],
  read: (fields: JsonFields<Key | "kind" | "version", never>) => Value,
): Value {
  try {
    const value = parseJson(text.reveal(), "malformed-certificate", MAX_FILE_LENGTH);
    const fields = value.strictObject(["kind", "version", ...keys]);
    fields.get("kind").oneOf([kind]);
    fields.get("version").integer(VERSION, VERSION);
    return read(fields);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    // Places, never values: these are private keys.
    throw new DevelopmentRootError("root-broken", `not a ${kind} of version ${VERSION}`);
  }
}

function bytes(value: JsonValue): Uint8Array {
  const found = fromBase64(value.string());
  if (found === undefined) throw value.error("not base64");
  return found;
}

function key(value: JsonValue): KeyObject {
  const der = Buffer.from(bytes(value));
  try {
    return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  } catch {
    // The cause is dropped: nothing derived from a private key goes into a log.
    throw value.error("not a private key");
  }
}

const keyText = (privateKey: KeyObject): string =>
  toBase64(privateKey.export({ type: "pkcs8", format: "der" }));
