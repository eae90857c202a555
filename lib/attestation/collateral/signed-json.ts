/** PCS's signed documents: {"tcbInfo":{…},"signature":"hex"}, where the signature is over the exact text in between. */

import { parseJson } from "../encoding/json-fields.ts";
import { EvidenceError } from "../evidence-error.ts";

/** Longest answer that is read, in characters. */
const MAX_LENGTH = 1024 * 1024;
const SIGNATURE_BYTES = 64;

/** A document apart from the answer that carried it. */
export type SignedJson = {
  /** Exactly as it stood in the answer. */
  readonly text: string;
  /** r ‖ s. */
  readonly signature: Uint8Array;
};

/**
 * Cuts a signed document out of an answer. White space around it and members beside it are not signed and not kept.
 * @param body  UTF-8
 * @param member  under which the document stands: "tcbInfo", "enclaveIdentity"
 * @throws EvidenceError "malformed-collateral" | "too-large"
 */
export function cutSignedJson(body: Uint8Array, member: string): SignedJson {
  const answer = decode(body);
  const signature = parseJson(answer, "malformed-collateral", MAX_LENGTH)
    .openObject([member, "signature"])
    .get("signature")
    .hex(SIGNATURE_BYTES);
  const texts = membersOf(answer).filter(([key]) => key === member);
  const [found] = texts;
  if (found === undefined || texts.length > 1) {
    throw new EvidenceError("malformed-collateral", `"${member}" does not stand there once`);
  }
  return { text: found[1], signature };
}

function decode(body: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch (cause) {
    throw new EvidenceError("malformed-collateral", "not UTF-8", { cause });
  }
}

/**
 * Members of the outermost object with the text of each value.
 * @param json  a valid JSON object: JSON.parse has read it
 */
function membersOf(json: string): readonly (readonly [string, string])[] {
  const members: (readonly [string, string])[] = [];
  const token = /"(?:[^"\\]|\\.)*"|[[\]{}:,]/g;
  let depth = 0;
  let key = "";
  let valueStart = 0;
  for (let found = token.exec(json); found !== null; found = token.exec(json)) {
    const [text] = found;
    const closes = text === "}" || text === "]";
    if (depth === 1 && text === ":") valueStart = token.lastIndex;
    else if (depth === 1 && (text === "," || closes)) {
      if (valueStart > 0) members.push([key, json.slice(valueStart, found.index).trim()]);
      valueStart = 0;
    } else if (depth === 1 && valueStart === 0) key = String(JSON.parse(text));
    if (text === "{" || text === "[") depth += 1;
    if (closes) depth -= 1;
  }
  return members;
}
