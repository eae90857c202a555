import type { Command } from "commander";
import { type ComputePackage, readPackage } from "../../compute-packages/format/archive.ts";
import type { CommandHelper } from "../../compute-packages/format/manifest.ts";
import { digestOf } from "../../lib/base/ids.ts";
import type { Refusal } from "../../lib/base/refusal.ts";
import type { Connection } from "../../lib/transport/connect.ts";
import { withReducer } from "../admin-connection.ts";
import { CliError } from "../cli-error.ts";
import { buildPackage } from "../compute-package-files.ts";
import type { CommandContext } from "../context.ts";
import { nameArgument, readFileOr, within } from "../enrol-member.ts";
import { everyPage } from "../every-page.ts";
import { paint, writeJson, writeLine } from "../output.ts";
import { packageLines, refusalsOf } from "../package-description.ts";
import { renderTable } from "../rendering/table.ts";
import { formatBytes, formatInstant, shortHash } from "../rendering/units.ts";
import { resolveReference } from "../resolve-reference.ts";
import { uploadPackage } from "../transfer.ts";
import { type PackageView, packageView } from "../views.ts";
import { writeNewFile } from "./member.ts";
import { addReducerOptions, choice, type SharedOptions } from "./options.ts";

export const PACKAGE_REMEDY = "upload one with: fedclave package upload FILE";
/** What to name where an archive is wanted. */
export const ARCHIVE_HINT = "name an archive that `fedclave package build` wrote";
const HELPERS = ["numpyhelper", "binaryhelper", "androidhelper"] as const;
type BuildOptions = { out: string; json?: true; name?: string; helper?: CommandHelper };

export function addPackageCommands(program: Command, context: CommandContext): void {
  const group = program
    .command("package")
    .summary("build, inspect and upload compute packages")
    .description("Build, inspect and upload compute packages.");
  group
    .command("build")
    .summary("make the archive of a package")
    .argument("<source>", "a folder with fedn.yaml in it, that file, or a FEDn package's .tgz")
    .requiredOption("--out <file>", "where the archive goes")
    .option("--name <name>", "of a FEDn package (default: what its folder is called)")
    .option("--helper <helper>", "of a FEDn package (default: numpyhelper)", choice(HELPERS))
    .option("--json", "one line of JSON")
    .action(async (source: string, options: BuildOptions) => {
      const { archive, notes } = await buildPackage(source, context.bundleDirectory, options);
      for (const note of notes) writeLine(context.stderr, note);
      refuseGated(readPackage(archive));
      await writeNewFile(options.out, archive);
      const packageDigest = digestOf(archive);
      if (options.json === true) {
        return writeJson(context.stdout, {
          packageDigest,
          sizeBytes: archive.byteLength,
          out: options.out,
        });
      }
      writeLine(
        context.stdout,
        `Built ${options.out}: ${formatBytes(archive.byteLength)}, digest ${packageDigest}`,
      );
    });
  group
    .command("inspect")
    .summary("what is in an archive, and whether clients would run it")
    .argument("<file>")
    .option("--json", "one line of JSON")
    .action(async (file: string, options: { json?: true }) => {
      const archive = await readFileOr(file, ARCHIVE_HINT);
      const pkg = within(file, () => readPackage(archive));
      const refusals = refusalsOf(pkg);
      if (options.json === true) writeJson(context.stdout, inspection(pkg, refusals));
      else for (const line of describePackage(pkg, refusals)) writeLine(context.stdout, line);
      if (refusals.length > 0) throw new CliError("refused", "clients would refuse this package");
    });
  addReducerOptions(group.command("upload").summary("hand a package to the reducer"))
    .argument("<file>")
    .option("--name <name>", "name for people (default: the package's own)")
    .action(async (file: string, options: SharedOptions & { name?: string }) => {
      const archive = await readFileOr(file, ARCHIVE_HINT);
      const pkg = within(file, () => readPackage(archive));
      refuseGated(pkg);
      const wanted = nameArgument(options.name ?? pkg.manifest.name, "--name");
      const name = await withReducer(context, options, async (reducer) => {
        await uploadPackage(context, reducer, archive, wanted);
        // One that the reducer has held before keeps the name it was given then.
        const held = await listPackages(reducer);
        return held.find((each) => each.packageDigest === pkg.digest)?.name ?? wanted;
      });
      if (options.json === true) {
        return writeJson(context.stdout, { packageDigest: pkg.digest, name });
      }
      const done = name === wanted ? `Uploaded ${name}` : `The reducer held it already, as ${name}`;
      writeLine(context.stdout, `${done}, digest ${pkg.digest}`);
    });
  addReducerOptions(group.command("list").summary("the packages the reducer holds")).action(
    async (options: SharedOptions) => {
      const packages = await withReducer(context, options, listPackages);
      if (options.json === true) return writeJson(context.stdout, { packages });
      if (packages.length === 0) writeLine(context.stderr, `no package yet; ${PACKAGE_REMEDY}`);
      for (const line of packageTable(packages)) writeLine(context.stdout, line);
    },
  );

  function describePackage(pkg: ComputePackage, refusals: readonly Refusal[]): string[] {
    const verdict =
      refusals.length === 0
        ? paint(context.stdout, "green", "clients would run it")
        : paint(context.stdout, "red", "clients would refuse it");
    return [...packageLines(pkg), "", `Gate: ${verdict}`, ...refusals.map(refusalLine)];
  }
}

export const listPackages = async (reducer: Connection): Promise<PackageView[]> =>
  await everyPage(async (page) => {
    const answer = await reducer.unary("Packages.List", page);
    return { entries: answer.packages.map(packageView), totalCount: answer.totalCount };
  });

/** The package a person means. @throws CliError "not-found" | "ambiguous" */
export async function findPackage(reducer: Connection, text: string): Promise<PackageView> {
  const candidates = (await listPackages(reducer)).map((each) => ({
    digest: each.packageDigest,
    name: each.name,
    atMs: each.uploadedAtMs,
    view: each,
  }));
  return resolveReference(text, candidates, "package", PACKAGE_REMEDY).view;
}

const refusalLine = ({ code, seen, wanted }: Refusal): string =>
  `  ${code}: seen ${seen}, wanted ${wanted}`;

/** @throws CliError "refused" */
export function refuseGated(pkg: ComputePackage): void {
  const refusals = refusalsOf(pkg);
  if (refusals.length === 0) return;
  const lines = ["clients would refuse this package:", ...refusals.map(refusalLine)];
  throw new CliError("refused", lines.join("\n"));
}

const inspection = (pkg: ComputePackage, refusals: readonly Refusal[]) => ({
  packageDigest: pkg.digest,
  manifest: pkg.manifest,
  files: [...pkg.files].map(([file, content]) => ({
    file,
    sizeBytes: content.byteLength,
    digest: digestOf(content),
  })),
  refusals,
});

export const packageTable = (packages: readonly PackageView[]): string[] =>
  renderTable(
    [
      { title: "package" },
      { title: "name" },
      { title: "runtime" },
      { title: "bytes", align: "right" },
      { title: "uploaded (UTC)" },
    ],
    packages.map((each) => [
      shortHash(each.packageDigest),
      each.name,
      each.runtime,
      formatBytes(each.sizeBytes),
      formatInstant(each.uploadedAtMs),
    ]),
  );
