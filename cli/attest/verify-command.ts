/** `fedclave attest verify`: is this evidence genuine, and harmless? */
import type { Command } from "commander";
import { CliError, EndedWithStatus } from "../cli-error.ts";
import type { CommandContext } from "../context.ts";
import { readFileOr, within } from "../enrol-member.ts";
import { writeJson, writeLine } from "../output.ts";
import { type EvidenceFile, parseEvidenceFile } from "./evidence-file.ts";
import { type GivenOptions, readGiven } from "./given-files.ts";
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
    .option("--root <file>", "the root to trust in the vendors' place; repeatable", collect, [])
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

/** Takes one more value of an option that may be repeated. */
export const collect = (text: string, before: readonly string[]): string[] => [...before, text];

async function verify(context: CommandContext, file: string, options: Options): Promise<void> {
  try {
    const evidence = await readEvidenceFile(file);
    const outcome = verifyEvidence(evidence, await readGiven(context, evidence, options));
    const verdict = verdictOf(evidence, outcome);
    if (options.json === true) writeJson(context.stdout, verdict);
    else tell(context, file, evidence, outcome);
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
): void {
  for (const line of verdictLines(stdout, evidence, outcome)) writeLine(stdout, line);
  if (outcome.checks.some(({ refusal }) => refusal?.code === "collateral-missing")) {
    writeLine(stderr, `Get what is missing with: fedclave attest fetch ${file} --out FILE`);
  }
}

/** @throws CliError "unreadable-file" */
export async function readEvidenceFile(file: string): Promise<EvidenceFile> {
  const bytes = await readFileOr(file, "name a quote, an SNP report or an RA-TLS certificate");
  return within(file, () => parseEvidenceFile(bytes));
}
