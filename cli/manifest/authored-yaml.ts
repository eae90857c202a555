/** Manifests as people write them: YAML 1.2, in which JSON is included. */
import { isMap, isScalar, parseDocument, visit } from "yaml";
import { CliError } from "../cli-error.ts";

/** From this length on digits are hex: no count is that long. */
const MIN_HEX_LENGTH = 16;

/**
 * The value of a YAML text. What looks like a number but is hex, all digits of which happen to be decimal, stays text:
 * it begins with a zero, or is longer than numbers are.
 * @param file  for the message
 * @throws CliError "unreadable-file"
 */
export function parseAuthored(text: string, file: string): unknown {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) throw notYaml(file, error);
  visit(document, {
    Scalar: (_key, node) => {
      const { source = "", value } = node;
      const isHex = /^0[0-9]/.test(source) || source.length >= MIN_HEX_LENGTH;
      if (isScalar(node) && typeof value === "number" && isHex) node.value = source;
    },
  });
  if (!isMap(document.contents)) {
    const why = text.trim() === "" ? "is empty" : "holds no fields such as kind, version and name";
    throw new CliError(
      "unreadable-file",
      `${file} ${why}; begin one with \`fedclave manifest init\``,
    );
  }
  try {
    return document.toJS();
  } catch (cause) {
    throw notYaml(file, cause);
  }
}

function notYaml(file: string, cause: unknown): CliError {
  const why = cause instanceof Error ? cause.message : "unreadable";
  return new CliError("unreadable-file", `${file} is not YAML: ${why}`, { cause });
}
