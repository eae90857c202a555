import { type Refusal, RefusedError, refusal } from "../../lib/base/refusal.ts";
import type { OnnxManifest } from "../format/manifest.ts";

/** Every hyperparameter of a package with the value it has in a session. */
export type Hyperparameters = {
  readonly batchSize: number;
  readonly localEpochs: number;
  readonly [name: string]: number;
};

export type HyperparameterCode =
  | "hyperparameter-unknown"
  | "hyperparameter-out-of-range"
  | "proximal-not-supported";

/** What a session sets; what it leaves out has the package's default. */
export type SessionSettings = {
  readonly hyperparameters: { readonly [name: string]: number };
  /** FedProx's mu, 0 for none. */
  readonly proximalMu: number;
};

/** Every reason why a package cannot train with these settings; for session start as well as for a task. */
export function checkSettings(
  manifest: OnnxManifest,
  settings: SessionSettings,
): readonly Refusal<HyperparameterCode>[] {
  const specs = new Map(Object.entries(manifest.onnx.hyperparameters));
  const reasons: Refusal<HyperparameterCode>[] = [];
  for (const [name, value] of Object.entries(settings.hyperparameters)) {
    const spec = specs.get(name);
    if (spec === undefined) {
      reasons.push(refusal("hyperparameter-unknown", name, [...specs.keys()].join(", ")));
      continue;
    }
    const mustBeInteger = name === "batchSize" || name === "localEpochs";
    const isInRange = value >= spec.minimum && value <= spec.maximum;
    if (!isInRange || (mustBeInteger && !Number.isInteger(value))) {
      const kind = mustBeInteger ? "an integer" : "a number";
      const wanted = `${kind} of ${spec.minimum} to ${spec.maximum}`;
      reasons.push(refusal("hyperparameter-out-of-range", `${name} ${value}`, wanted));
    }
  }
  const { proximalMu } = settings;
  const isMu = proximalMu >= 0 && Number.isFinite(proximalMu);
  if (!isMu || (proximalMu > 0 && manifest.onnx.step.proximalGraph === undefined)) {
    const wanted = isMu ? "0: the package has no proximal graph" : "a number ≥ 0";
    reasons.push(refusal("proximal-not-supported", proximalMu, wanted));
  }
  return reasons;
}

/**
 * The values a task trains with.
 * @throws RefusedError with every reason of checkSettings
 */
export function resolveHyperparameters(
  manifest: OnnxManifest,
  settings: SessionSettings,
): Hyperparameters {
  const reasons = checkSettings(manifest, settings);
  if (reasons.length > 0) throw new RefusedError(...reasons);
  const { batchSize, localEpochs, ...others } = manifest.onnx.hyperparameters;
  const defaults = Object.entries(others).map(([name, spec]) => [name, spec.default] as const);
  return {
    ...Object.fromEntries(defaults),
    batchSize: batchSize.default,
    localEpochs: localEpochs.default,
    ...settings.hyperparameters,
  };
}
