/** What may be said about a session, by flags or in a YAML file: one table for both. */
import { parse as parseYaml } from "yaml";
import { usageError } from "./cli-error.ts";

/** Everything is optional; session-settings.ts fills in the rest. */
export type SessionChoices = {
  readonly name?: string;
  readonly package?: string;
  readonly model?: string;
  readonly rounds?: number;
  readonly aggregator?: string;
  readonly serverLearningRate?: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly tau?: number;
  readonly initialSecondMoment?: number;
  readonly biasCorrection?: string;
  readonly mu?: number;
  readonly minClients?: number;
  readonly quorum?: number;
  readonly clientFraction?: number;
  readonly overSelection?: number;
  readonly roundDeadline?: number;
  readonly maxAttempts?: number;
  readonly elementBound?: number;
  readonly normBound?: number;
  readonly weightCap?: number;
  readonly maxCohort?: number;
  readonly seed?: string;
  readonly validate?: boolean;
  /** Hyperparameters of the package. */
  readonly set?: Readonly<Record<string, number>>;
};

type SettingRow = {
  /** Long flag without dashes, and key of the YAML file. */
  readonly flag: string;
  readonly key: keyof SessionChoices;
  readonly value: "text" | "number" | "integer" | readonly string[];
  readonly placeholder: string;
  readonly help: string;
};

export const AGGREGATORS = ["fedavg", "fedadam", "fedyogi", "fedadagrad"] as const;
export const BIAS_CORRECTIONS = ["none", "adam", "flower"] as const;

export const SESSION_OPTIONS: readonly SettingRow[] = [
  row("name", "name", "text", "NAME", "name for people (default: the package's)"),
  row("package", "package", "text", "DIGEST|NAME", "compute package (default: the newest)"),
  row("model", "model", "text", "HASH|NAME", "seed model (default: the newest imported)"),
  row("rounds", "rounds", "integer", "N", "rounds to commit (default: 10)"),
  row("min-clients", "minClients", "integer", "N", "clients that must attend (default: 2)"),
  row("quorum", "quorum", "integer", "N", "fewest updates per round (default: min-clients)"),
  row(
    "client-fraction",
    "clientFraction",
    "number",
    "PART",
    "part of the clients per round (default: 1)",
  ),
  row("over-selection", "overSelection", "number", "PART", "spare clients per round (default: 0)"),
  row("max-cohort", "maxCohort", "integer", "N", "most clients per round (default: at least 16)"),
  row("round-deadline", "roundDeadline", "number", "SECONDS", "longest round (default: 600)"),
  row("max-attempts", "maxAttempts", "integer", "N", "attempts per round (default: 5)"),
  row(
    "aggregator",
    "aggregator",
    AGGREGATORS,
    "KIND",
    `${AGGREGATORS.join(", ")} (default: fedavg)`,
  ),
  row(
    "server-learning-rate",
    "serverLearningRate",
    "number",
    "X",
    "of adaptive kinds (default: 0.01)",
  ),
  row("beta1", "beta1", "number", "X", "of adaptive kinds (default: 0.9; fedadagrad 0)"),
  row("beta2", "beta2", "number", "X", "of adaptive kinds (default: 0.99)"),
  row("tau", "tau", "number", "X", "of adaptive kinds (default: 0.001)"),
  row(
    "initial-second-moment",
    "initialSecondMoment",
    "number",
    "X",
    "of adaptive kinds (default: tau squared)",
  ),
  row(
    "bias-correction",
    "biasCorrection",
    BIAS_CORRECTIONS,
    "KIND",
    `of adaptive kinds: ${BIAS_CORRECTIONS.join(", ")} (default: none)`,
  ),
  row("mu", "mu", "number", "X", "FedProx: weight of the proximal term (default: 0)"),
  row("element-bound", "elementBound", "number", "X", "largest change of one weight (default: 8)"),
  row("norm-bound", "normBound", "number", "X", "largest L2 norm of an update (default: none)"),
  row(
    "weight-cap",
    "weightCap",
    "integer",
    "N",
    "most examples of one update (default: what the grid allows)",
  ),
  row(
    "seed",
    "seed",
    "text",
    "TEXT",
    "for all randomness; 64 hex digits are taken as they are (default: random)",
  ),
];

/**
 * Reads one value, wherever it was written.
 * @param flag  how the person called it
 * @throws CliError "usage"
 */
export function readSetting({ value }: SettingRow, text: string, flag: string): string | number {
  if (value === "text") return text;
  if (value === "number" || value === "integer") {
    const number = Number(text);
    if (text.trim() === "" || !Number.isFinite(number)) {
      throw usageError(`${flag}: "${text}" is not a number`);
    }
    if (value === "integer" && !Number.isInteger(number)) {
      throw usageError(`${flag}: ${text} is not a whole number`);
    }
    return number;
  }
  if (!value.includes(text))
    throw usageError(`${flag}: "${text}" is not one of ${value.join(", ")}`);
  return text;
}

/** "name=number", as `--set` takes it. @throws CliError "usage" */
export function readHyperparameter(text: string): readonly [name: string, value: number] {
  const match = /^([A-Za-z0-9][A-Za-z0-9_.]{0,63})=(.+)$/.exec(text);
  const value = Number(match?.[2] ?? Number.NaN);
  if (match?.[1] === undefined || !Number.isFinite(value)) {
    throw usageError(`--set: "${text}" is not NAME=NUMBER`);
  }
  return [match[1], value];
}

/**
 * The file of `--config`: the flags as keys, `set` as a mapping, `validate` as true or false.
 * @throws CliError "usage" for unknown keys and values that do not fit
 */
export function readSessionFile(text: string, file: string): SessionChoices {
  let document: unknown;
  try {
    document = parseYaml(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "unreadable";
    throw usageError(`${file} is not YAML: ${why}`);
  }
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    throw usageError(`${file} holds no "key: value" lines`);
  }
  const choices: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(document)) {
    const option = SESSION_OPTIONS.find((each) => each.flag === key);
    if (option !== undefined && (typeof value === "string" || typeof value === "number")) {
      choices[option.key] = readSetting(option, String(value), `${file}: ${key}`);
    } else if (key === "validate" && typeof value === "boolean") {
      choices.validate = value;
    } else if (key === "set" && typeof value === "object" && value !== null) {
      const pairs = Object.entries(value).map(([name, each]) =>
        readHyperparameter(`${name}=${each}`),
      );
      choices.set = Object.fromEntries(pairs);
    } else {
      const known = [...SESSION_OPTIONS.map((each) => each.flag), "validate", "set"].join(", ");
      const what = option === undefined && key !== "set" && key !== "validate" ? "key" : "value of";
      throw usageError(`${file}: ${what} "${key}" is not understood; the keys are ${known}`);
    }
  }
  return choices;
}

function row(
  flag: string,
  key: keyof SessionChoices,
  value: SettingRow["value"],
  placeholder: string,
  help: string,
): SettingRow {
  return { flag, key, value, placeholder, help };
}
