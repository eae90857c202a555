/** Session settings between the wire and the core. Whatever is missing, misspelt or of another version is refused. */
import type { AggregatorSettings } from "../../lib/aggregation/merge.ts";
import { type Digest, digestBytes, digestFromBytes, parseName } from "../../lib/base/ids.ts";
import { type Refusal, RefusedError, refusal } from "../../lib/base/refusal.ts";
import { HYPERPARAMETER_NAME } from "../../lib/transport/wire-fields.ts";
import { fedclave } from "../../proto/generated/fedclave.js";
import type { SessionSettings } from "../core/settings.ts";

type SettingsMessage = fedclave.v1.SessionSettings.$Properties;
type AggregatorMessage = fedclave.v1.Aggregator.$Properties;

const { AggregatorKind, BiasCorrection } = fedclave.v1;
const SETTINGS_VERSION = 1;

const AGGREGATOR_KINDS = [
  ["fedavg", AggregatorKind.AGGREGATOR_KIND_FEDAVG],
  ["fedadam", AggregatorKind.AGGREGATOR_KIND_FEDADAM],
  ["fedyogi", AggregatorKind.AGGREGATOR_KIND_FEDYOGI],
  ["fedadagrad", AggregatorKind.AGGREGATOR_KIND_FEDADAGRAD],
] as const;

const BIAS_CORRECTIONS = [
  ["none", BiasCorrection.BIAS_CORRECTION_NONE],
  ["adam", BiasCorrection.BIAS_CORRECTION_ADAM],
  ["flower", BiasCorrection.BIAS_CORRECTION_FLOWER],
] as const;

/**
 * The settings as the core knows them; ranges are the core's to judge.
 * @throws RefusedError with every field that cannot be read
 */
export function parseSettings(message: SettingsMessage | null | undefined): SessionSettings {
  const found: Refusal[] = [];
  const given = message ?? {};
  if (given.version !== SETTINGS_VERSION) {
    found.push(refusal("unknown-version", given.version ?? 0, SETTINGS_VERSION));
  }
  const name = need(found, "name", parseName(given.name ?? ""), "[a-z0-9-]{1,63}");
  const seedModelHash = readDigest(found, "seedModelHash", given.seedModelHash);
  const packageDigest = readDigest(found, "packageDigest", given.packageDigest);
  const sessionSeed = readDigest(found, "sessionSeed", given.sessionSeed);
  const aggregator = readAggregator(found, given.aggregator ?? {});
  const hyperparameters = readHyperparameters(found, given.hyperparameters ?? []);
  if (found.length > 0) throw new RefusedError(...found);
  return {
    name,
    seedModelHash,
    packageDigest,
    sessionSeed,
    aggregator,
    hyperparameters,
    rounds: given.rounds ?? 0,
    proximalMu: given.proximalMu ?? 0,
    minClients: given.minClients ?? 0,
    clientFraction: given.clientFraction ?? 0,
    overSelection: given.overSelection ?? 0,
    quorumCount: given.quorumCount ?? 0,
    roundDeadlineMs: given.roundDeadlineMs ?? 0,
    maxAttempts: given.maxAttempts ?? 0,
    elementBound: given.elementBound ?? 0,
    ...(given.normBound == null ? {} : { normBound: given.normBound }),
    weightCap: given.weightCap ?? 0,
    maxCohort: given.maxCohort ?? 0,
    validate: given.validate ?? false,
  };
}

/** The settings as parseSettings reads them. */
export function settingsMessage(settings: SessionSettings): SettingsMessage {
  const { aggregator, hyperparameters, ...rest } = settings;
  return {
    ...rest,
    version: SETTINGS_VERSION,
    seedModelHash: digestBytes(settings.seedModelHash),
    packageDigest: digestBytes(settings.packageDigest),
    sessionSeed: digestBytes(settings.sessionSeed),
    aggregator: aggregatorMessage(aggregator),
    hyperparameters: hyperparameterMessages(hyperparameters),
  };
}

/** Sorted by name, so that equal settings travel as equal bytes. */
export const hyperparameterMessages = (
  hyperparameters: Readonly<Record<string, number>>,
): { name: string; value: number }[] =>
  Object.entries(hyperparameters)
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));

function readDigest(found: Refusal[], field: string, bytes: Uint8Array | undefined): Digest {
  return need(found, field, digestFromBytes(bytes ?? new Uint8Array()), "32 bytes");
}

function need<T>(found: Refusal[], field: string, value: T | undefined, wanted: string): T {
  if (value === undefined) found.push(refusal(`setting-${field}`, "unreadable or missing", wanted));
  // Never returned to anybody: parseSettings throws when anything was found.
  return value as T;
}

function readAggregator(found: Refusal[], message: AggregatorMessage): AggregatorSettings {
  const kind = AGGREGATOR_KINDS.find(([, code]) => code === message.kind)?.[0];
  if (kind === "fedavg") return { kind };
  const biasCorrection =
    BIAS_CORRECTIONS.find(([, code]) => code === message.biasCorrection)?.[0] ?? "none";
  const { learningRate, beta1, beta2, tau, initialSecondMoment } = message;
  const numbers = { learningRate, beta1, beta2, tau, initialSecondMoment };
  for (const [field, value] of Object.entries(numbers)) {
    if (value == null) found.push(refusal(`aggregator-${field}`, "missing", "a number"));
  }
  if (kind === undefined) {
    found.push(
      refusal("aggregator-kind", message.kind ?? 0, "fedavg, fedadam, fedyogi, fedadagrad"),
    );
  }
  return {
    kind: kind ?? "fedadam",
    learningRate: learningRate ?? 0,
    beta1: beta1 ?? 0,
    beta2: beta2 ?? 0,
    tau: tau ?? 0,
    initialSecondMoment: initialSecondMoment ?? 0,
    biasCorrection,
  };
}

function aggregatorMessage(aggregator: AggregatorSettings): AggregatorMessage {
  const kind = AGGREGATOR_KINDS.find(([name]) => name === aggregator.kind)?.[1];
  if (aggregator.kind === "fedavg") return { ...(kind === undefined ? {} : { kind }) };
  const { kind: _, biasCorrection, ...numbers } = aggregator;
  const code = BIAS_CORRECTIONS.find(([name]) => name === biasCorrection)?.[1];
  return {
    ...numbers,
    ...(kind === undefined ? {} : { kind }),
    ...(code === undefined ? {} : { biasCorrection: code }),
  };
}

function readHyperparameters(
  found: Refusal[],
  messages: readonly { name?: string; value?: number }[],
): Readonly<Record<string, number>> {
  const values = new Map<string, number>();
  for (const { name = "", value = Number.NaN } of messages) {
    if (!HYPERPARAMETER_NAME.test(name) || values.has(name)) {
      const wanted = "each name once, [A-Za-z0-9][A-Za-z0-9_.]{0,63}";
      found.push(refusal("setting-hyperparameters", name, wanted));
    }
    values.set(name, value);
  }
  return Object.fromEntries(values);
}
