/** What commands say in JSON: how many examples they trained on, and figures of a validation. */
import { MAX_METRICS } from "../../../lib/base/limits.ts";
import { CommandError } from "../command-error.ts";

export type Metric = { readonly name: string; readonly value: number };

/**
 * `num_examples` of `<out>-metadata`; everything else there is the package's own business.
 * @throws CommandError "result-malformed" unless it is an integer ≥ 1
 */
export function readExampleCount(metadata: Uint8Array): number {
  const count = parseObject(metadata, "<out>-metadata").num_examples;
  if (isCount(count)) return count;
  const seen =
    count === undefined ? "lacks num_examples" : "has a num_examples that is no integer ≥ 1";
  throw new CommandError("result-malformed", `<out>-metadata ${seen}`);
}

/**
 * Figures of a validation: every finite number directly in the object, under a name as metrics travel. FEDn does not
 * say on how many examples they stand: num_examples if the package says so, else 1, so that all clients weigh the same.
 * @throws CommandError "result-malformed" if it is no object, or holds no figure
 */
export function readValidation(json: Uint8Array): {
  readonly exampleCount: number;
  readonly metrics: readonly Metric[];
} {
  const fields = parseObject(json, "the validation's JSON");
  const metrics = new Map<string, number>();
  for (const [key, value] of Object.entries(fields)) {
    if (typeof value !== "number" || !Number.isFinite(value) || key === "num_examples") continue;
    const name = metricName(key);
    if (name !== "" && !metrics.has(name) && metrics.size < MAX_METRICS) metrics.set(name, value);
  }
  if (metrics.size === 0) {
    throw new CommandError("result-malformed", "the validation's JSON holds no finite number");
  }
  const { num_examples } = fields;
  return {
    exampleCount: isCount(num_examples) ? num_examples : 1,
    metrics: [...metrics].map(([name, value]) => ({ name, value })),
  };
}

const isCount = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 1;

/** "Test Loss (%)" becomes "test_loss". */
const metricName = (key: string): string =>
  key
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .slice(0, 63);

function parseObject(bytes: Uint8Array, what: string): Record<string, unknown> {
  const text = new TextDecoder().decode(bytes);
  let json: unknown;
  try {
    json = JSON.parse(withoutPythonNumbers(text));
  } catch (cause) {
    throw new CommandError("result-malformed", `${what} is not JSON`, { cause });
  }
  if (typeof json === "object" && json !== null && !Array.isArray(json)) {
    return json as Record<string, unknown>;
  }
  throw new CommandError("result-malformed", `${what} is not an object`);
}

/** Python writes NaN and Infinity, which JSON does not have; within strings they stay. */
const withoutPythonNumbers = (text: string): string =>
  text.replace(/"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g, (token) =>
    token.startsWith('"') ? token : "null",
  );
