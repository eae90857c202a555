import type { Command } from "commander";
import { diffManifests } from "../../lib/federation/manifest/changes/diff-manifests.ts";
import { ENVIRONMENTS, type Environment } from "../../lib/federation/manifest/manifest.ts";
import { CliError } from "../cli-error.ts";
import type { CommandContext } from "../context.ts";
import { nameArgument } from "../enrol-member.ts";
import { changeLines } from "../manifest/change-lines.ts";
import { addCheckCommand } from "../manifest/check-command.ts";
import { digestLines, manifestTitle } from "../manifest/digest-lines.ts";
import { readManifestFile, soundManifest } from "../manifest/manifest-file.ts";
import { addSignCommand } from "../manifest/sign-command.ts";
import { manifestTemplate } from "../manifest/template.ts";
import { writeJson, writeLine } from "../output.ts";
import { writeNewFile } from "./member.ts";
import { choice } from "./options.ts";

/** `fedclave manifest …`. */
export function addManifestCommands(program: Command, context: CommandContext): void {
  const group = program
    .command("manifest")
    .summary("write, check, sign and compare manifests")
    .description(
      "Write, check, sign and compare manifests: what all parties of a federation agree on (docs/manifest.md). FILE may " +
        "be one that is being written, a built or signed one, or federation.json.",
    );
  addInitCommand(group, context);
  addBuildCommand(group, context);
  addCheckCommand(group, context);
  addDigestCommand(group, context);
  addSignCommand(group, context);
  addDiffCommand(group, context);
}

type InitOptions = {
  readonly name: string;
  readonly environment: Environment;
  readonly organization?: readonly string[];
};

function addInitCommand(group: Command, context: CommandContext): void {
  group
    .command("init")
    .summary("begin a manifest: every field, and what it is for")
    .argument("<file>", "a new file, such as federation.yaml")
    .option("--name <name>", "name of the federation", "federation")
    .option("--organization <name...>", "those that take part (default: organization)")
    .option("--environment <kind>", ENVIRONMENTS.join(" or "), choice(ENVIRONMENTS), "production")
    .action(async (file: string, options: InitOptions) => {
      const { environment } = options;
      const name = nameArgument(options.name, "--name");
      const organizations = (options.organization ?? ["organization"]).map((each) =>
        nameArgument(each, "--organization"),
      );
      const text = manifestTemplate({ name, environment, organizations });
      await writeNewFile(file, Buffer.from(text), "file");
      writeLine(context.stdout, `Wrote ${file}. Put the files it refers to beside it, then:`);
      writeLine(context.stdout, `  fedclave manifest check ${file}`);
    });
}

function addBuildCommand(group: Command, context: CommandContext): void {
  group
    .command("build")
    .summary("make the exact bytes that parties compare and sign")
    .argument("<file>", "what an author wrote, YAML or JSON")
    .requiredOption("--out <file>", "where the manifest goes")
    .option("--json", "one line of JSON")
    .action(async (file: string, options: { out: string; json?: true }) => {
      const { manifest, bytes, digest } = soundManifest(await readManifestFile(file));
      await writeNewFile(options.out, bytes);
      if (options.json === true) {
        return writeJson(context.stdout, { digest, sizeBytes: bytes.byteLength, out: options.out });
      }
      writeLine(
        context.stdout,
        `Built ${options.out}: ${manifestTitle(manifest)}, digest ${digest}`,
      );
    });
}

function addDigestCommand(group: Command, context: CommandContext): void {
  group
    .command("digest")
    .summary("what parties read to each other, to know that they hold the same manifest")
    .argument("<file>", "built, signed, or federation.json")
    .option("--json", "one line of JSON")
    .action(async (file: string, options: { json?: true }) => {
      const read = await readManifestFile(file);
      if (!read.isExact) {
        throw new CliError(
          "unreadable-file",
          `${file} is not built yet: fedclave manifest build ${file} --out manifest.json`,
        );
      }
      const { manifest, digest } = soundManifest(read);
      const { name, epoch, environment } = manifest;
      if (options.json === true) {
        return writeJson(context.stdout, { name, epoch, environment, digest });
      }
      for (const line of digestLines(manifest, digest)) writeLine(context.stdout, line);
    });
}

function addDiffCommand(group: Command, context: CommandContext): void {
  group
    .command("diff")
    .summary("what changes from one manifest to another: tightening, loosening or neither")
    .argument("<before>")
    .argument("<after>")
    .option("--json", "one line of JSON")
    .action(async (before: string, after: string, options: { json?: true }) => {
      const [old, current] = await Promise.all([readManifestFile(before), readManifestFile(after)]);
      const changes = diffManifests(soundManifest(old).manifest, soundManifest(current).manifest);
      if (options.json === true) return writeJson(context.stdout, { changes });
      for (const line of changeLines(changes)) writeLine(context.stdout, line);
    });
}
