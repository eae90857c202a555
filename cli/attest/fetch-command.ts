/** `fedclave attest fetch`: the one command here that asks the network, so that all others need not. */
import { readFile, rename, writeFile } from "node:fs/promises";
import type { Command } from "commander";
import {
  type CollateralBundle,
  EMPTY_BUNDLE,
  mergeBundles,
} from "../../lib/attestation/collateral/bundle.ts";
import { parseBundle, writeBundle } from "../../lib/attestation/collateral/bundle-file.ts";
import type { CollateralSource } from "../../lib/attestation/collateral/collateral-source.ts";
import { httpGet } from "../../lib/attestation/collateral/http-get.ts";
import { AMD_KDS, kdsClient } from "../../lib/attestation/collateral/kds-client.ts";
import {
  INTEL_PCS,
  type PcsSettings,
  pcsClient,
} from "../../lib/attestation/collateral/pcs-client.ts";
import { withRetries } from "../../lib/attestation/collateral/retry.ts";
import { CliError } from "../cli-error.ts";
import { choice } from "../commands/options.ts";
import type { CommandContext } from "../context.ts";
import { readFileOr, within } from "../enrol-member.ts";
import { writeJson, writeLine } from "../output.ts";
import { datesOf } from "./endorsement-dates.ts";
import { fetchEndorsements } from "./fetch-endorsements.ts";
import { readRoot } from "./given-files.ts";
import { readEvidenceFile, rootOption } from "./verify-command.ts";

const PRODUCTS = ["Milan", "Genoa", "Turin"] as const;

type Options = {
  readonly out: string;
  readonly pccs?: string;
  readonly kds?: string;
  readonly tlsCa?: string;
  readonly early?: true;
  readonly product?: (typeof PRODUCTS)[number];
  readonly root: readonly string[];
  readonly json?: true;
};

/** `fedclave attest fetch`: endorsements from a vendor's service into a bundle file. */
export function addFetchCommand(group: Command, context: CommandContext): void {
  group
    .command("fetch")
    .summary("get what vouches for a platform, from Intel, AMD or a cache")
    .description(
      "Gets what vouches for the platform of a quote (Intel's PCS, or a PCCS) or of an SEV-SNP report (AMD's KDS), " +
        "verifies it, and adds it to a file that `fedclave attest verify --collateral` reads.",
    )
    .argument("<evidence>", "quote, SNP report or RA-TLS certificate")
    .requiredOption("--out <file>", "the file; what it holds of other platforms is kept")
    .option("--pccs <url>", "a PCCS, in place of Intel's service")
    .option("--kds <url>", "a mirror of AMD's service")
    .option(
      "--tls-ca <file>",
      "PEM that stands in for the system's roots: a PCCS's own certificate",
    )
    .option("--early", "Intel: new TCB levels at once, not after their grace")
    .option("--product <name>", "SNP reports of version 2: the product", choice(PRODUCTS))
    .addOption(rootOption())
    .option("--json", "one line of JSON")
    .action((file: string, options: Options) => fetchInto(context, file, options));
}

async function fetchInto(context: CommandContext, file: string, options: Options): Promise<void> {
  const { clock, stdout } = context;
  const evidence = await readEvidenceFile(file);
  const before = await readBundle(options.out);
  const roots = await Promise.all(options.root.map(readRoot));
  const fetched = await fetchEndorsements(evidence, {
    source: await sourceOf(context, options),
    roots: roots.length === 0 ? undefined : roots,
    product: options.product,
    nowMs: clock.untrustedNowMs(),
  });
  await replaceFile(options.out, writeBundle(mergeBundles(before, fetched)));
  const sets = datesOf({ kind: "bundle", bundle: fetched });
  if (options.json === true) return writeJson(stdout, { out: options.out, fetched: sets });
  for (const { of } of sets) writeLine(stdout, `Added to ${options.out}: ${of}`);
}

async function sourceOf(
  { clock, randomness }: CommandContext,
  { pccs, kds, tlsCa, early }: Options,
): Promise<CollateralSource> {
  const get = withRetries(httpGet(clock), clock, randomness);
  const hint = "it should be PEM certificates";
  const pem = tlsCa === undefined ? undefined : Buffer.from(await readFileOr(tlsCa, hint));
  const tls = pem === undefined ? {} : { tls: { certificates: [pem.toString("latin1")] } };
  const settings: PcsSettings = {
    ...(pccs === undefined ? INTEL_PCS : { kind: "pccs", baseUrl: pccs }),
    update: early === true ? "early" : "standard",
    ...tls,
  };
  return {
    ...pcsClient(settings, get),
    ...kdsClient({ ...(kds === undefined ? AMD_KDS : { baseUrl: kds }), ...tls }, get),
  };
}

/** What the file holds already. @throws CliError "unreadable-file" for a file that is something else */
async function readBundle(file: string): Promise<CollateralBundle> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    if ((cause as { code?: unknown }).code === "ENOENT") return undefined;
    throw new CliError("unreadable-file", `${file} cannot be read; name another --out`, { cause });
  });
  if (bytes === undefined) return EMPTY_BUNDLE;
  return within(file, () => parseBundle(new Uint8Array(bytes)));
}

/** In one step: a machine that stops in between leaves the file as it was. */
async function replaceFile(file: string, bytes: Uint8Array): Promise<void> {
  const unfinished = `${file}.tmp`;
  try {
    await writeFile(unfinished, bytes);
    await rename(unfinished, file);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "no reason given";
    throw new CliError("unwritable-file", `${file} cannot be written (${why})`, { cause });
  }
}
