import { rename, writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { type SigningKey, spkiDigest } from "../../lib/base/keys.ts";
import type { Manifest } from "../../lib/federation/manifest/manifest.ts";
import {
  adminOf,
  parseSignedManifest,
  signManifest,
  unsignedManifest,
} from "../../lib/federation/manifest/sign-manifest.ts";
import { CliError } from "../cli-error.ts";
import { writeNewFile } from "../commands/member.ts";
import type { CommandContext } from "../context.ts";
import { readKeyFile, within } from "../enrol-member.ts";
import { writeJson, writeLine } from "../output.ts";
import { signatureText } from "./check-command.ts";
import { checkSignatures } from "./check-signatures.ts";
import { manifestTitle } from "./digest-lines.ts";
import { type ManifestFile, readManifestFile, soundManifest } from "./manifest-file.ts";

type Options = {
  readonly key: string;
  readonly previous?: string;
  readonly out?: string;
  readonly json?: true;
};

/** `fedclave manifest sign`: adds an admin's signature. */
export function addSignCommand(group: Command, context: CommandContext): void {
  group
    .command("sign")
    .summary("agree to a manifest with an admin's key")
    .description(
      "Adds an admin's signature. A built manifest becomes a signed one beside it (manifest.json: manifest.signed.json), " +
        "a signed one is replaced by itself with one signature more; with --out the result goes elsewhere.",
    )
    .argument("<file>", "built, or signed by others already")
    .requiredOption("--key <file>", "an admin's private key")
    .option("--previous <file>", "the manifest it replaces, whose admins must agree to the change")
    .option("--out <file>", "a new file")
    .option("--json", "one line of JSON")
    .action(async (name: string, options: Options) => {
      const file = await readManifestFile(name);
      const { manifest, bytes, digest } = soundManifest(file);
      if (!file.isExact) {
        throw new CliError(
          "refused",
          `${name} is not built yet: fedclave manifest build ${name} --out manifest.json`,
        );
      }
      const admins = await adminsOf(manifest, options.previous);
      const key = await readKeyFile(options.key);
      const signer = signerOf(admins, key, options);
      const envelope = file.envelope ?? unsignedManifest(bytes);
      const signed = within(name, () => signManifest(envelope, key));
      const out = await write(file, signed, options.out);
      const after = checkSignatures(parseSignedManifest(signed), admins, false);
      const { signers, threshold } = after;
      if (options.json === true) {
        return writeJson(context.stdout, { out, digest, signer, signers, threshold });
      }
      const text = signatureText({ envelope }, after);
      writeLine(
        context.stdout,
        `Signed ${manifestTitle(manifest)}, digest ${digest}, as ${signer}`,
      );
      writeLine(context.stdout, `${out}: ${text}`);
    });
}

/** A change is agreed to by those who were in charge before it. */
async function adminsOf(
  manifest: Manifest,
  previous: string | undefined,
): Promise<Manifest["admins"]> {
  if (previous === undefined) return manifest.admins;
  return soundManifest(await readManifestFile(previous)).manifest.admins;
}

function signerOf(
  admins: Manifest["admins"],
  key: SigningKey,
  { key: keyFile, previous }: Options,
): string {
  const signer = adminOf(admins, spkiDigest(key.publicKeyDer));
  if (signer !== undefined) return signer;
  const known = admins.keys.map((each) => each.name).join(", ");
  const hint =
    previous === undefined ? "; for a change, name the manifest before with --previous" : "";
  throw new CliError("refused", `${keyFile} is no admin's key, those are of ${known}${hint}`);
}

/** Signatures are only ever added, so a signed file may take the place of itself. */
async function write(
  { file, envelope }: ManifestFile,
  signed: Uint8Array,
  out: string | undefined,
): Promise<string> {
  if (out !== undefined || envelope === undefined) {
    const target = out ?? `${file.replace(/\.json$/, "")}.signed.json`;
    await writeNewFile(target, signed);
    return target;
  }
  const unfinished = `${file}.tmp`;
  await writeFile(unfinished, signed);
  await rename(unfinished, file);
  return file;
}
