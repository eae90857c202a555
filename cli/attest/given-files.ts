/** What evidence is held against, from the files that the command line names. */
import {
  type CollateralFile,
  MAX_BUNDLE_BYTES,
  readCollateralFile,
} from "../../lib/attestation/collateral/bundle-file.ts";
import { parseCertificate } from "../../lib/attestation/endorsements/certificate.ts";
import type { SnpEndorsements } from "../../lib/attestation/endorsements/snp-endorsements.ts";
import { EvidenceError } from "../../lib/attestation/evidence-error.ts";
import { fromHex } from "../../lib/base/bytes.ts";
import { usageError } from "../cli-error.ts";
import type { CommandContext } from "../context.ts";
import { within } from "../enrol-member.ts";
import { dcapSetFor, snpPartsFor } from "./collateral-choice.ts";
import type { EvidenceFile } from "./evidence-file.ts";
import { parseInstant } from "./instant-option.ts";
import { readInput } from "./read-input.ts";
import { pemBlocksOf } from "./text-or-bytes.ts";
import type { Given } from "./verify-evidence.ts";

/** What the command line gave beside the evidence: file names, and hex and time as people write them. */
/** Largest file with a certificate, a chain or a revocation list; their readers have limits of their own. */
const MAX_PART_FILE_BYTES = 4 * 1024 * 1024;

export type GivenOptions = {
  readonly collateral?: string;
  readonly leaf?: string;
  readonly chain?: string;
  readonly crl?: string;
  readonly root: readonly string[];
  readonly nonce?: string;
  readonly now?: string;
};

/** Reads them all. @throws CliError "usage" | "unreadable-file" */
export async function readGiven(
  { clock }: Pick<CommandContext, "clock">,
  evidence: EvidenceFile,
  options: GivenOptions,
): Promise<Given> {
  refuseUnused(evidence, options);
  const nonce = options.nonce === undefined ? undefined : fromHex(options.nonce.toLowerCase());
  if (options.nonce !== undefined && nonce === undefined) throw usageError("--nonce is not hex");
  const nowMs =
    options.now === undefined ? clock.untrustedNowMs() : parseInstant(options.now, "--now");
  const roots = await Promise.all(options.root.map(readRoot));
  const { collateral } = options;
  const file = collateral === undefined ? undefined : await readCollateral(collateral);
  return {
    collateral: file && dcapSetFor(evidence, file),
    snp: evidence.kind === "snp-report" ? await readSnp(evidence, options, file) : {},
    roots: roots.length === 0 ? undefined : roots,
    nonce,
    nowMs,
  };
}

/** What would be ignored is refused: whoever named it believes that it counts. */
function refuseUnused({ kind }: EvidenceFile, options: GivenOptions): void {
  const unused = kind === "snp-report" ? [] : (["leaf", "chain", "crl"] as const);
  const named = unused.filter((name) => options[name] !== undefined);
  if (named.length > 0) throw usageError(`--${named.join(", --")}: only for SNP reports`);
  if (kind !== "ra-tls" && options.nonce !== undefined) {
    throw usageError("--nonce: only for RA-TLS certificates");
  }
}

async function readCollateral(file: string): Promise<CollateralFile> {
  const hint = "`fedclave attest fetch` writes one";
  const bytes = await readInput(file, hint, MAX_BUNDLE_BYTES);
  return within(file, () => readCollateralFile(bytes));
}

async function readSnp(
  evidence: EvidenceFile & { readonly kind: "snp-report" },
  options: GivenOptions,
  file: CollateralFile | undefined,
): Promise<Partial<SnpEndorsements>> {
  const held = file === undefined ? {} : await snpPartsFor(evidence.report, file);
  const leaf = options.leaf === undefined ? held.leaf : await readOne(options.leaf, "the leaf");
  const chain = options.chain === undefined ? held.chain : await readChain(options.chain);
  const crl =
    options.crl === undefined ? held.crl : await readOne(options.crl, "the revocation list");
  return { ...(leaf && { leaf }), ...(chain && { chain }), ...(crl && { crl }) };
}

/** DER of a certificate or a list, or one block of PEM; its content is for the verifier to judge. */
async function readOne(file: string, what: string): Promise<Uint8Array> {
  const hint = `it should be ${what}, DER or PEM`;
  const bytes = await readInput(file, hint, MAX_PART_FILE_BYTES);
  return within(file, () => {
    const [block, ...others] = pemBlocksOf(bytes);
    if (others.length > 0) throw new EvidenceError("malformed-pem", "several blocks of PEM");
    return block?.der ?? bytes;
  });
}

async function readChain(file: string): Promise<readonly Uint8Array[]> {
  const hint = "it should be PEM of ASK or ASVK, then ARK";
  const bytes = await readInput(file, hint, MAX_PART_FILE_BYTES);
  return within(file, () => {
    const blocks = pemBlocksOf(bytes);
    if (blocks.length === 0) throw new EvidenceError("malformed-pem", "no PEM in it");
    return blocks.map(({ der }) => der);
  });
}

/** A root is our own configuration, so it has to be right. @throws CliError "unreadable-file" */
export async function readRoot(file: string): Promise<Uint8Array> {
  const der = await readOne(file, "a root certificate");
  within(file, () => parseCertificate(der));
  return der;
}
