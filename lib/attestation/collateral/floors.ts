/** The newest numbers a cache has seen, kept so that a restart does not forget them. */
import { utf8 } from "../../base/bytes.ts";
import { canonicalJson, type Json, parseCanonicalJson } from "../../base/canonical-json.ts";
import { describeError, type Log } from "../../base/log.ts";
import { type Refusal, refusal } from "../../base/refusal.ts";
import {
  type CollateralFloor,
  checkFloor,
  EMPTY_FLOOR,
  raiseFloor,
} from "../verification/collateral-floor.ts";
import type { VerifiedCollateral } from "../verification/verify-collateral.ts";
import type { AdmittedAuthority } from "./admit-snp.ts";
import type { CacheFolder } from "./cache-folder.ts";
import { CollateralError } from "./collateral-error.ts";

const FILE = "floors.json";
const MAX_FILE_BYTES = 4 * 1024 * 1024;
const KIND = "fedclave/collateral-floors";
const VERSION = 1;
/** CRL numbers have up to 160 bits. */
const NUMBER = /^(?:0|[1-9]\d{0,48})$/;

/** Each call says in what something is older than what was seen, and remembers it if it is not. */
export type Floors = {
  readonly passDcap: (verified: VerifiedCollateral) => Promise<readonly Refusal[]>;
  readonly passAuthority: (admitted: AdmittedAuthority) => Promise<readonly Refusal[]>;
};

/**
 * Reads what was seen before. Without a folder it is forgotten when the process ends.
 * @throws CollateralError "cache-unusable": going on without it would mean to believe the past again
 */
export async function openFloors(folder: CacheFolder | undefined, log: Log): Promise<Floors> {
  let floor = folder === undefined ? EMPTY_FLOOR : await readFloor(folder);
  const raiseTo = async (raised: CollateralFloor): Promise<void> => {
    const bytes = writeFloor(raised);
    if (folder === undefined || Buffer.compare(bytes, writeFloor(floor)) === 0) {
      floor = raised;
      return;
    }
    floor = raised;
    // Whoever fills the disk keeps nobody from working, but the next start knows less.
    await folder.write(FILE, bytes).catch((error: unknown) => {
      log.error("collateral.floors-not-kept", {
        file: folder.path(FILE),
        error: describeError(error),
      });
    });
  };
  return {
    passDcap: async (verified) => {
      const refusals = checkFloor(verified, floor);
      if (refusals.length === 0) await raiseTo(raiseFloor(verified, floor));
      return refusals;
    },
    passAuthority: async ({ listName, crlNumber }) => {
      if (crlNumber === undefined) return [];
      const seen = BigInt(floor[listName] ?? 0);
      if (crlNumber < seen) {
        return [refusal("ark-crl-rolled-back", `number ${crlNumber}`, `${seen} or higher`)];
      }
      await raiseTo({ ...floor, [listName]: crlNumber.toString() });
      return [];
    },
  };
}

const writeFloor = (floors: CollateralFloor): Uint8Array =>
  utf8(canonicalJson({ kind: KIND, version: VERSION, floors }));

async function readFloor(folder: CacheFolder): Promise<CollateralFloor> {
  try {
    const bytes = await folder.read(FILE, MAX_FILE_BYTES);
    return bytes === undefined ? EMPTY_FLOOR : parseFloor(bytes);
  } catch (cause) {
    const message = `${folder.path(FILE)} cannot be read (${describeError(cause)}); put a copy of it back, or remove it: then older endorsements than were seen before would be believed again`;
    throw new CollateralError("cache-unusable", message, { cause });
  }
}

function parseFloor(bytes: Uint8Array): CollateralFloor {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  const { kind, version, floors, ...others } = objectOf(parseCanonicalJson(text));
  const isOurs = kind === KIND && version === VERSION && Object.keys(others).length === 0;
  if (!isOurs) throw new TypeError(`not a ${KIND} of version ${VERSION}`);
  const numbers = Object.entries(objectOf(floors));
  if (!numbers.every((entry): entry is [string, string] => isNumber(entry[1]))) {
    throw new TypeError("not all floors are numbers");
  }
  return Object.fromEntries(numbers);
}

const isNumber = (value: Json | undefined): value is string =>
  typeof value === "string" && NUMBER.test(value);

function objectOf(value: Json | undefined): { readonly [key: string]: Json | undefined } {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as { readonly [key: string]: Json | undefined };
  }
  throw new TypeError("not an object");
}
