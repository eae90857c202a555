/** Names of issuers and subjects. They are compared as bytes; only the common name is ever read. */
import { type DerElement, type DerReader, TAG } from "../encoding/der.ts";

const COMMON_NAME = "2.5.4.3";

const TEXT_TAGS: readonly number[] = [TAG.utf8String, TAG.printableString, TAG.ia5String];

/**
 * Walks a Name (RFC 5280 §4.1.2.4).
 * @param name  the whole value
 * @returns the common name; undefined unless there is exactly one, in UTF-8 or ASCII
 * @throws EvidenceError of the reader's code
 */
export function readCommonName(parent: DerReader, name: DerElement): string | undefined {
  const found: DerElement[] = [];
  const sets = parent.inside(name.content, "name");
  while (!sets.isAtEnd) {
    const set = sets.within(TAG.set, "relative name");
    do {
      const attribute = set.sequence("attribute");
      const type = attribute.oid("type");
      const value = attribute.any("value");
      attribute.end();
      if (type === COMMON_NAME) found.push(value);
    } while (!set.isAtEnd);
  }
  const [only, second] = found;
  return only === undefined || second !== undefined ? undefined : text(only);
}

function text({ tag, content }: DerElement): string | undefined {
  if (!TEXT_TAGS.includes(tag)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return undefined;
  }
}
