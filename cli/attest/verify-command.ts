/** `fedclave attest verify`: is this evidence genuine, and harmless? */
import { type Command, Option } from "commander";
import { CliError, EndedWithStatus } from "../cli-error.ts";
import type { CommandContext } from "../context.ts";
import { within } from "../enrol-member.ts";
import { writeJson, writeLine } from "../output.ts";
import { type EvidenceFile, MAX_EVIDENCE_FILE_BYTES, parseEvidenceFile } from "./evidence-file.ts";
import { type GivenOptions, readGiven } from "./given-files.ts";
import { nextSteps } from "./next-steps.ts";
import { readInput } from "./read-input.ts";
import { unreadableVerdict, VERDICT_STATUS, verdictOf } from "./verdict.ts";
import { verdictLines } from "./verdict-lines.ts";
import { type Outcome, verifyEvidence } from "./verify-evidence.ts";

type Options = GivenOptions & { readonly json?: true };

const HELP = `
Exit status: 0 genuine and accepted by the default policy, whatever the TCB status, which is reported;
2 refused; 1 something could not be read, or the command was not understood.`;

/** `fedclave attest verify`: ends with 0 accepted, 2 refused, 1 for everything else. */
export function addVerifyCommand(group: Command, context: CommandContext): void {
  group
    .command("verify")
    .summary("check evidence, a line for every claim")
    .description(
      "Checks a quote (SGX, TDX), an SEV-SNP report or an RA-TLS certificate against what its vendor says, " +
        "and refuses what undoes the promise of any enclave: debugging, for instance. Which code runs is not judged.",
    )
    .argument("<file>", "quote or report (bytes, hex, base64), or certificate (DER, PEM)")
    .option("--collateral <file>", "what `fedclave attest fetch` wrote for the platform")
    .option("--leaf <file>", "SNP: the VCEK or VLEK certificate")
    .option("--chain <file>", "SNP: PEM of ASK or ASVK, then ARK")
    .option("--crl <file>", "SNP: the revocation list of the ARK")
    .addOption(rootOption())
    .option("--nonce <hex>", "RA-TLS: what the certificate has to bind for freshness")
    .option("--now <time>", "2025-07-04T10:28:44Z: the time to judge dates at (default: now)")
    .option("--json", "one line of JSON")
    .addHelpText("after", HELP)
    .exitOverride((error) => {
      // Status 2 is a verdict here, so a command line that was not understood must not end with it.
      throw error.exitCode === 0 ? error : new EndedWithStatus(VERDICT_STATUS.unreadable);
    })
    .action((file: string, options: Options) => verify(context, file, options));
}

/** `--root FILE`, as often as there are roots. */
export const rootOption = (): Option =>
  new Option("--root <file>", "a root to trust in the vendors' place, DER or PEM; repeatable")
    .default([], "those of Intel and AMD")
    .argParser((file: string, before: readonly string[]) => [...before, file]);

async function verify(context: CommandContext, file: string, options: Options): Promise<void> {
  try {
    const evidence = await readEvidenceFile(file);
    const outcome = verifyEvidence(evidence, await readGiven(context, evidence, options));
    const verdict = verdictOf(evidence, outcome);
    if (options.json === true) writeJson(context.stdout, verdict);
    else tell(context, file, evidence, outcome, options);
    if (!verdict.accepted) throw new EndedWithStatus(VERDICT_STATUS.refused);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    if (options.json === true) writeJson(context.stdout, unreadableVerdict(error));
    else writeLine(context.stderr, `fedclave: ${error.message}`);
    throw new EndedWithStatus(VERDICT_STATUS.unreadable);
  }
}

function tell(
  { stdout, stderr }: CommandContext,
  file: string,
  evidence: EvidenceFile,
  outcome: Outcome,
  { root }: Options,
): void {
  for (const line of verdictLines(stdout, evidence, outcome)) writeLine(stdout, line);
  for (const line of nextSteps(file, outcome, root.length > 0)) writeLine(stderr, line);
}

/** @throws CliError "unreadable-file" */
export async function readEvidenceFile(file: string): Promise<EvidenceFile> {
  const hint = "name a quote, an SNP report or an RA-TLS certificate";
  const bytes = await readInput(file, hint, MAX_EVIDENCE_FILE_BYTES);
  return within(file, () => parseEvidenceFile(bytes));
}
