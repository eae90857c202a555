/** Whether package, seed model and settings of a session fit each other: found at its start, not by every client. */
import { readPackage } from "../../compute-packages/format/archive.ts";
import type { CommandManifest } from "../../compute-packages/format/manifest.ts";
import { checkSettings } from "../../compute-packages/onnx/hyperparameters.ts";
import { modelLayout } from "../../compute-packages/onnx/model-state.ts";
import { equalBytes } from "../../lib/base/bytes.ts";
import { type Refusal, refusal } from "../../lib/base/refusal.ts";
import { type ArtifactStore, readAll } from "../../lib/storage/artifacts.ts";
import type { TensorLayout } from "../../lib/tensors/layout.ts";
import type { SessionSettings } from "../core/settings.ts";
import type { FederationState } from "../core/state.ts";
import type { ModelShelf } from "./model-shelf.ts";

/** Every reason why clients could not train this session; what is not there at all comes first and alone. */
export async function appraiseFit(
  given: { readonly models: ModelShelf; readonly artifacts: ArtifactStore },
  state: FederationState,
  settings: SessionSettings,
): Promise<readonly Refusal[]> {
  const { seedModelHash, packageDigest } = settings;
  const missing: Refusal[] = [];
  if (!state.models.has(seedModelHash)) {
    missing.push(refusal("unknown-model", seedModelHash, "a model from `fedclave model list`"));
  }
  const reader = state.packages.has(packageDigest)
    ? await given.artifacts.open("compute-package", packageDigest)
    : undefined;
  if (reader === undefined) {
    const wanted = "a package uploaded with `fedclave package upload`";
    missing.push(refusal("unknown-package", packageDigest, wanted));
  }
  if (reader === undefined || missing.length > 0) return missing;
  const archive = await readAll(reader).finally(reader.close);
  const pkg = readPackage(archive);
  const seed = await given.models.model(seedModelHash);
  if (pkg.runtime === "command") return appraiseCommandFit(pkg.manifest, seed.layout, settings);
  const { manifest } = pkg;
  const wanted = modelLayout(manifest);
  const fits = equalBytes(seed.layout.header, wanted.header);
  const { hyperparameters, proximalMu } = settings;
  return [
    ...(fits
      ? []
      : [
          refusal(
            "model-does-not-fit",
            shapesOf(seed.layout),
            `${shapesOf(wanted)}, as the package has it`,
          ),
        ]),
    ...checkSettings(manifest, { hyperparameters, proximalMu }),
  ];
}

/** What can be known of commands without running them: how tensors must be named, and that they do no FedProx. */
function appraiseCommandFit(
  { command }: CommandManifest,
  { tensors }: TensorLayout,
  { proximalMu }: SessionSettings,
): readonly Refusal[] {
  const names = tensors.map(({ name }) => name);
  const wanted = command.tensorNames ?? names.map((_, index) => String(index));
  const fits = wanted.length === names.length && wanted.every((name) => names.includes(name));
  return [
    ...(fits ? [] : [refusal("model-does-not-fit", names.join(" "), wanted.join(" "))]),
    ...(proximalMu === 0
      ? []
      : [refusal("proximal-not-supported", proximalMu, "0: commands do not know of it")]),
  ];
}

const shapesOf = (layout: ReturnType<typeof modelLayout>): string =>
  layout.tensors.map(({ name, dtype, shape }) => `${name} ${dtype}[${shape.join(",")}]`).join(" ");
