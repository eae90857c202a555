import path from "node:path";
import type { Command } from "commander";
import { digestBytes, digestOf, parseName } from "../../lib/base/ids.ts";
import type { Connection } from "../../lib/transport/connect.ts";
import { withReducer } from "../admin-connection.ts";
import type { CommandContext } from "../context.ts";
import { nameArgument, readFileOr, within } from "../enrol-member.ts";
import { everyPage } from "../every-page.ts";
import { readModelFile } from "../model-files.ts";
import { writeJson, writeLine } from "../output.ts";
import { renderTable } from "../rendering/table.ts";
import { formatBytes, formatCount, formatInstant, shortHash } from "../rendering/units.ts";
import { type Candidate, resolveReference } from "../resolve-reference.ts";
import { uploadModel } from "../transfer.ts";
import { type ModelView, modelView } from "../views.ts";
import { addModelExport } from "./model-export.ts";
import { addReducerOptions, type SharedOptions } from "./options.ts";

const MODEL_REMEDY = "import one with: fedclave model import FILE --name seed";

export function addModelCommands(program: Command, context: CommandContext): void {
  const group = program
    .command("model")
    .summary("import, export and follow models")
    .description("Import, export and follow models.");
  addReducerOptions(group.command("import").summary("hand a seed model to the reducer"))
    .argument("<file>", ".safetensors, .npz, or the .tgz of a package that brings its seed model")
    .option("--name <name>", "name for people (default: the file's)")
    .action(async (file: string, options: SharedOptions & { name?: string }) => {
      const hint = "name a .safetensors or .npz file, or a package";
      const bytes = await readFileOr(file, hint);
      const model = within(file, () => readModelFile(file, bytes));
      const wanted = nameArgument(options.name ?? nameOfFile(file), "--name");
      const modelHash = digestOf(model);
      const name = await withReducer(context, options, async (reducer) => {
        await uploadModel(context, reducer, model, wanted);
        // One that the reducer has held before keeps the name it was given then, if any.
        const held = (await listModels(reducer)).find((each) => each.modelHash === modelHash);
        return held === undefined ? wanted : held.name;
      });
      if (options.json === true) {
        return writeJson(context.stdout, { modelHash, name, sizeBytes: model.byteLength });
      }
      const known = `The reducer held it already, ${name === undefined ? "without a name" : `as ${name}`}`;
      writeLine(
        context.stdout,
        `${name === wanted ? `Imported ${name}` : known}: ${formatBytes(model.byteLength)}, hash ${modelHash}`,
      );
    });
  addModelExport(group, context, findModel);
  addReducerOptions(group.command("list").summary("the models the reducer holds")).action(
    async (options: SharedOptions) => {
      const models = await withReducer(context, options, listModels);
      if (options.json === true) return writeJson(context.stdout, { models });
      if (models.length === 0) writeLine(context.stderr, `no model yet; ${MODEL_REMEDY}`);
      for (const line of modelTable(models)) writeLine(context.stdout, line);
    },
  );
  addReducerOptions(group.command("trail").summary("from a model back to its seed"))
    .argument("<model>", "hash, at least 6 characters of it, name, or latest")
    .action(async (text: string, options: SharedOptions) => {
      const models = await withReducer(context, options, async (reducer) => {
        const { modelHash } = await findModel(reducer, text);
        return await everyPage(async (page) => {
          const wanted = { modelHash: digestBytes(modelHash), ...page };
          const answer = await reducer.unary("Models.Trail", wanted);
          return { entries: answer.models.map(modelView), totalCount: answer.totalCount };
        });
      });
      if (options.json === true) return writeJson(context.stdout, { models });
      for (const line of modelTable(models)) writeLine(context.stdout, line);
    });
}

export const listModels = async (reducer: Connection): Promise<ModelView[]> =>
  await everyPage(async (page) => {
    const answer = await reducer.unary("Models.List", page);
    return { entries: answer.models.map(modelView), totalCount: answer.totalCount };
  });

/** @throws CliError "not-found" | "ambiguous" */
export async function findModel(reducer: Connection, text: string): Promise<ModelView> {
  const models = await listModels(reducer);
  return resolveReference(text, models.map(modelCandidate), "model", MODEL_REMEDY).model;
}

/** The seed model a session starts from: what was named, or the newest imported. */
export async function findSeedModel(
  reducer: Connection,
  text: string | undefined,
): Promise<ModelView> {
  if (text !== undefined) return findModel(reducer, text);
  const imported = (await listModels(reducer)).filter((each) => each.sessionId === undefined);
  return resolveReference("latest", imported.map(modelCandidate), "model", MODEL_REMEDY).model;
}

const modelCandidate = (model: ModelView): Candidate & { readonly model: ModelView } => ({
  digest: model.modelHash,
  ...(model.name === undefined ? {} : { name: model.name }),
  atMs: model.committedAtMs,
  model,
});

const nameOfFile = (file: string): string => {
  const name = path.basename(file, path.extname(file)).toLowerCase();
  return parseName(name) ?? "seed";
};

export const modelTable = (models: readonly ModelView[]): string[] =>
  renderTable(
    [
      { title: "model" },
      { title: "name" },
      { title: "round", align: "right" },
      { title: "parent" },
      { title: "session" },
      { title: "parameters", align: "right" },
      { title: "bytes", align: "right" },
      { title: "since (UTC)" },
    ],
    models.map((each) => [
      shortHash(each.modelHash),
      each.name ?? "",
      each.round === undefined ? "seed" : String(each.round),
      each.parentModelHash === undefined ? "" : shortHash(each.parentModelHash),
      each.sessionId ?? "",
      formatCount(each.parameterCount),
      formatBytes(each.sizeBytes),
      formatInstant(each.committedAtMs),
    ]),
  );
