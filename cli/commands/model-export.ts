/** `fedclave model export`: a model as other tools read it. */
import type { Command } from "commander";
import { type OnnxPackage, readPackage } from "../../compute-packages/format/archive.ts";
import { writeInferenceFile } from "../../compute-packages/onnx/inference-file.ts";
import { type Digest, parseDigest } from "../../lib/base/ids.ts";
import type { Connection } from "../../lib/transport/connect.ts";
import { withReducer } from "../admin-connection.ts";
import { CliError, usageError } from "../cli-error.ts";
import type { CommandContext } from "../context.ts";
import { readFileOr, within } from "../enrol-member.ts";
import { MODEL_FORMATS, writeModelFile } from "../model-files.ts";
import { writeJson, writeLine } from "../output.ts";
import { shortHash } from "../rendering/units.ts";
import { downloadModel, downloadPackage } from "../transfer.ts";
import { type ModelView, sessionView } from "../views.ts";
import { writeNewFile } from "./member.ts";
import { addReducerOptions, choice, type SharedOptions } from "./options.ts";
import { ARCHIVE_HINT, findPackage, refuseGated } from "./package.ts";

const EXPORT_FORMATS = [...MODEL_FORMATS, "onnx"] as const;
type ExportFormat = (typeof EXPORT_FORMATS)[number];

type ExportOptions = SharedOptions & {
  readonly out: string;
  readonly format?: ExportFormat;
  readonly onnx?: true;
  readonly package?: string;
};

/** @param findModel  by hash, name or "latest" */
export function addModelExport(
  group: Command,
  context: CommandContext,
  findModel: (reducer: Connection, text: string) => Promise<ModelView>,
): void {
  addReducerOptions(group.command("export").summary("write a model to a file"))
    .argument("<model>", "hash, at least 6 characters of it, name, or latest")
    .requiredOption("--out <file>", "a new file")
    .option(
      "--format <format>",
      "npz, safetensors or onnx (default: by the file's ending)",
      choice(EXPORT_FORMATS),
    )
    .option("--onnx", "the same as --format onnx: the graph for inference with the weights inside")
    .option(
      "--package <package>",
      "for onnx, whose graph: digest, name or an archive (default: that of the model's session)",
    )
    .action(async (text: string, options: ExportOptions) => {
      const format = formatOf(options);
      const { found, bytes } = await withReducer(context, options, async (reducer) => {
        const found = await findModel(reducer, text);
        const model = await downloadModel(context, reducer, found.modelHash);
        if (format !== "onnx") return { found, bytes: writeModelFile(model, format) };
        const pkg = await packageOf(context, reducer, found, options.package);
        return { found, bytes: writeInferenceFile(pkg, model) };
      });
      await writeNewFile(options.out, bytes);
      if (options.json === true)
        return writeJson(context.stdout, { ...found, out: options.out, format });
      writeLine(
        context.stdout,
        `Wrote model ${shortHash(found.modelHash)} to ${options.out} (${format})`,
      );
    });
}

function formatOf({ out, format, onnx, package: named }: ExportOptions): ExportFormat {
  if (onnx === true && format !== undefined && format !== "onnx") {
    throw usageError(`--onnx and --format ${format}: give one of them`);
  }
  const chosen = onnx === true ? "onnx" : format;
  const found = chosen ?? EXPORT_FORMATS.find((each) => out.endsWith(`.${each}`));
  if (found === undefined) {
    throw usageError(`--format: ${out} does not end in .npz, .safetensors or .onnx`);
  }
  if (named !== undefined && found !== "onnx") {
    throw usageError(`--package: a model as ${found} is no matter of a package`);
  }
  return found;
}

/** The package whose graph goes with the model. @throws CliError "not-found" | "ambiguous" | "refused" */
async function packageOf(
  context: CommandContext,
  reducer: Connection,
  model: ModelView,
  named: string | undefined,
): Promise<OnnxPackage> {
  const archive = named?.endsWith(".tgz")
    ? await readFileOr(named, ARCHIVE_HINT)
    : await downloadPackage(context, reducer, await digestOf(reducer, model, named));
  const pkg = within(named ?? "the session's package", () => readPackage(archive));
  if (pkg.runtime !== "onnx") {
    throw new CliError(
      "refused",
      `${pkg.manifest.name} is a package of commands, which brings no graph; export the model as npz or safetensors`,
    );
  }
  refuseGated(pkg);
  return pkg;
}

async function digestOf(
  reducer: Connection,
  model: ModelView,
  named: string | undefined,
): Promise<Digest> {
  if (named !== undefined) return (await findPackage(reducer, named)).packageDigest;
  const { sessionId } = model;
  if (sessionId === undefined) {
    throw new CliError(
      "not-found",
      "the model was imported and belongs to no session; name its package with --package",
    );
  }
  const session = sessionView(await reducer.unary("Sessions.Show", { sessionId, page: {} }));
  const digest = parseDigest(session.settings.packageDigest);
  if (digest === undefined) throw new CliError("not-found", "the session names no package");
  return digest;
}
