/** What a compute package is, for people who decide whether to run it. */
import type { CommandPackage, ComputePackage } from "../compute-packages/format/archive.ts";
import type { OnnxManifest, OnnxSection } from "../compute-packages/format/manifest.ts";
import { gatePackage } from "../compute-packages/onnx/gate.ts";
import { digestOf } from "../lib/base/ids.ts";
import { printable, type Refusal } from "../lib/base/refusal.ts";
import { renderFields, renderTable } from "./rendering/table.ts";
import { formatBytes, shortHash } from "./rendering/units.ts";

/** Why no client would run the package. Commands are not judged: each data owner decides, and sandboxes them. */
export const refusalsOf = (pkg: ComputePackage): readonly Refusal[] =>
  pkg.runtime === "onnx" ? gatePackage(pkg) : [];

/** What an archive holds. */
export function packageLines(pkg: ComputePackage): string[] {
  const { manifest } = pkg;
  return [
    ...renderFields([
      ["name", manifest.name],
      ["runtime", manifest.runtime],
      ["digest", pkg.digest],
    ]),
    "",
    ...renderTable(
      [{ title: "file" }, { title: "bytes", align: "right" }, { title: "SHA-256" }],
      [...pkg.files].map(([file, content]) => [
        file,
        formatBytes(content.byteLength),
        shortHash(digestOf(content)),
      ]),
    ),
    "",
    ...(pkg.runtime === "onnx" ? onnxLines(pkg.manifest) : commandLines(pkg)),
  ];
}

function onnxLines({ data, onnx }: OnnxManifest): string[] {
  const shape = (sizes: readonly number[]): string => `[${sizes.join(", ")}]`;
  return [
    ...renderFields([
      ["metrics", onnx.evaluation.metrics.join(", ")],
      ["inference", inferenceText(onnx)],
    ]),
    "",
    ...renderTable(
      [{ title: "input" }, { title: "dtype" }, { title: "shape per example" }],
      Object.entries(data).map(([name, each]) => [name, each.dtype, shape(each.shape)]),
    ),
    "",
    ...renderTable(
      [{ title: "trained tensor" }, { title: "dtype" }, { title: "shape" }],
      Object.entries(onnx.state).map(([name, each]) => [name, each.dtype, shape(each.shape)]),
    ),
    ...localStateLines(onnx),
    "",
    ...renderTable(
      [
        { title: "hyperparameter" },
        { title: "default", align: "right" },
        { title: "minimum", align: "right" },
        { title: "maximum", align: "right" },
      ],
      Object.entries(onnx.hyperparameters).map(([name, each]) => [
        name,
        String(each.default),
        String(each.minimum),
        String(each.maximum),
      ]),
    ),
  ];
}

function inferenceText({ inference }: OnnxSection): string {
  if (inference === undefined) return "none";
  return `${inference.inputs.join(", ")} to ${Object.keys(inference.outputs).join(", ")}`;
}

function localStateLines({ localState = {} }: OnnxSection): string[] {
  const rows = Object.entries(localState).map(([name, each]) => [
    name,
    each.dtype,
    `[${each.shape.join(", ")}]`,
  ]);
  const columns = [{ title: "tensor that stays" }, { title: "dtype" }, { title: "shape" }];
  return rows.length === 0 ? [] : ["", ...renderTable(columns, rows)];
}

function commandLines({ manifest }: CommandPackage): string[] {
  const { helper, pythonDependencies } = manifest.command;
  const wanted = pythonDependencies && [...pythonDependencies.build, ...pythonDependencies.run];
  return [
    ...renderFields([
      ["helper", helper],
      ["Python packages", printable(wanted?.join(", ") ?? "whatever the client's Python has")],
    ]),
    "",
    ...renderTable(
      [{ title: "entry point" }, { title: "command" }],
      Object.entries(manifest.entry_points).map(([name, { command }]) => [
        name,
        printable(command),
      ]),
    ),
  ];
}
