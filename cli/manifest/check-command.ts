import type { Command } from "commander";
import { checkSuccession } from "../../lib/federation/manifest/check-succession.ts";
import { problemText } from "../../lib/federation/manifest/problems.ts";
import { EndedWithStatus } from "../cli-error.ts";
import type { CommandContext } from "../context.ts";
import { paint, writeJson, writeLine } from "../output.ts";
import { counted } from "../rendering/units.ts";
import { checkSignatures, type SignatureCheck } from "./check-signatures.ts";
import { manifestTitle } from "./digest-lines.ts";
import type { CheckProblem } from "./inline-references.ts";
import { type ManifestFile, readManifestFile, soundManifest } from "./manifest-file.ts";

type Checked = {
  readonly problems: readonly CheckProblem[];
  /** Of a manifest without problems of its own. */
  readonly signatures?: SignatureCheck;
};

const EXIT_PROBLEMS = 1;

/** `fedclave manifest check`: everything that is wrong with a manifest, each with its place. */
export function addCheckCommand(group: Command, context: CommandContext): void {
  group
    .command("check")
    .summary("everything that is wrong with a manifest, and where")
    .argument("<file>")
    .option(
      "--previous <file>",
      "the manifest it replaces: epoch, digest and its admins' signatures are checked",
    )
    .option("--json", "one line of JSON")
    .action(async (name: string, options: { previous?: string; json?: true }) => {
      const file = await readManifestFile(name);
      const checked = await checkFile(file, options.previous);
      if (options.json === true) writeJson(context.stdout, report(file, checked));
      else for (const line of checkLines(context, file, checked)) writeLine(context.stdout, line);
      if (checked.problems.length > 0) throw new EndedWithStatus(EXIT_PROBLEMS);
    });
}

async function checkFile(file: ManifestFile, previousFile: string | undefined): Promise<Checked> {
  const { manifest, envelope } = file;
  if (manifest === undefined) return { problems: file.problems };
  if (previousFile === undefined) {
    // An unsigned file may still become a signed one; a signed one may still be waiting for admins.
    const signatures = checkSignatures(envelope, manifest.admins, false);
    return { problems: signatures.problems, signatures };
  }
  const previous = soundManifest(await readManifestFile(previousFile));
  const signatures = checkSignatures(envelope, previous.manifest.admins, true);
  return { problems: [...checkSuccession(previous, manifest), ...signatures.problems], signatures };
}

const report = (file: ManifestFile, { problems, signatures }: Checked) => ({
  file: file.file,
  name: file.manifest?.name ?? null,
  epoch: file.manifest?.epoch ?? null,
  environment: file.manifest?.environment ?? null,
  digest: file.manifest === undefined ? null : soundManifest(file).digest,
  signers: signatures?.signers ?? [],
  threshold: signatures?.threshold ?? null,
  problems,
});

function checkLines(
  { stdout }: CommandContext,
  file: ManifestFile,
  { problems, signatures }: Checked,
): string[] {
  if (problems.length > 0) {
    return [
      paint(stdout, "red", `${file.file}: ${counted(problems.length, "problem")}`),
      ...problems.map((each) => `  ${problemText(each)}`),
    ];
  }
  const { manifest, digest } = soundManifest(file);
  return [
    paint(stdout, "green", `${file.file}: no problem`),
    `  ${manifestTitle(manifest)}, digest ${digest}${file.isExact ? "" : " once it is built"}`,
    ...(signatures === undefined ? [] : [`  ${signatureText(file, signatures)}`]),
  ];
}

/** "signed by alice, bob: 2 of 2 admins needed". */
export function signatureText(
  { envelope }: Pick<ManifestFile, "envelope">,
  { signers, threshold }: Pick<SignatureCheck, "signers" | "threshold">,
): string {
  if (envelope === undefined) return `not signed; ${counted(threshold, "admin")} must`;
  const missing = threshold - signers.length;
  const waiting = missing > 0 ? `, so ${missing} more must sign` : "";
  return `signed by ${signers.join(", ") || "no admin"}: ${signers.length} of ${threshold} needed${waiting}`;
}
