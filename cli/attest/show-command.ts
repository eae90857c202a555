/** `fedclave attest show`: what evidence or collateral says, without a word on whether it is true. */
import type { Command } from "commander";
import {
  MAX_BUNDLE_BYTES,
  readCollateralFile,
} from "../../lib/attestation/collateral/bundle-file.ts";
import type { UnixMs } from "../../lib/base/ids.ts";
import type { CommandContext } from "../context.ts";
import { within } from "../enrol-member.ts";
import { type OutputStream, paint, writeJson, writeLine } from "../output.ts";
import { renderFields, renderTable } from "../rendering/table.ts";
import { formatInstant } from "../rendering/units.ts";
import { type DatedObject, type DatedSet, datesOf } from "./endorsement-dates.ts";
import { evidenceFields } from "./evidence-fields.ts";
import { parseEvidenceFile } from "./evidence-file.ts";
import { evidenceRecord } from "./evidence-record.ts";
import { parseInstant } from "./instant-option.ts";
import { readInput } from "./read-input.ts";

type Options = { readonly now?: string; readonly json?: true };

/** `fedclave attest show`: what evidence or a bundle says, with nothing verified. */
export function addShowCommand(group: Command, context: CommandContext): void {
  group
    .command("show")
    .summary("what evidence or collateral says, unverified")
    .description(
      "Shows a quote, an SEV-SNP report, an RA-TLS certificate, or the dates of everything in a collateral file. " +
        "Nothing of it is verified: that is for `fedclave attest verify`.",
    )
    .argument("<file>")
    .option("--now <time>", "collateral: what has ended then (default: now)")
    .option("--json", "one line of JSON")
    .action(async (file: string, options: Options) => {
      const hint = "name evidence, or a collateral file";
      const bytes = await readInput(file, hint, MAX_BUNDLE_BYTES);
      if (looksLikeJson(bytes)) showCollateral(context, file, bytes, options);
      else showEvidence(context, file, bytes, options);
    });
}

function showEvidence(
  { stdout, stderr }: CommandContext,
  file: string,
  bytes: Uint8Array,
  options: Options,
): void {
  const evidence = within(file, () => parseEvidenceFile(bytes));
  if (options.json === true) return writeJson(stdout, evidenceRecord(evidence));
  for (const line of renderFields(evidenceFields(evidence))) writeLine(stdout, line);
  writeLine(stderr, "Nothing of this is verified; do so with: fedclave attest verify");
}

function showCollateral(
  { stdout, clock }: CommandContext,
  file: string,
  bytes: Uint8Array,
  { now, json }: Options,
): void {
  const nowMs = now === undefined ? clock.untrustedNowMs() : parseInstant(now, "--now");
  const sets = within(file, () => datesOf(readCollateralFile(bytes)));
  if (json === true) return writeJson(stdout, { collateral: sets });
  const [first, ...others] = sets.map((set) => [
    paint(stdout, "bold", set.of),
    ...dateTable(stdout, set, nowMs),
  ]);
  for (const line of first ?? ["nothing in it"]) writeLine(stdout, line);
  for (const line of others.flatMap((lines) => ["", ...lines])) writeLine(stdout, line);
}

const dateTable = (stdout: OutputStream, { objects }: DatedSet, nowMs: UnixMs): string[] =>
  renderTable(
    [
      { title: "object" },
      { title: "from (UTC)" },
      { title: "until (UTC)" },
      { title: "number", align: "right" },
      { title: "" },
    ],
    objects.map((each) => [
      each.object,
      formatInstant(each.fromMs),
      formatInstant(each.untilMs),
      each.number ?? "",
      paint(stdout, "red", ended(each, nowMs)),
    ]),
  );

function ended({ fromMs, untilMs }: DatedObject, nowMs: UnixMs): string {
  if (nowMs > untilMs) return "ended";
  return nowMs < fromMs ? "not yet" : "";
}

/** Evidence is bytes, PEM, hex or base64: none begins like this. */
const looksLikeJson = (bytes: Uint8Array): boolean =>
  /^\s*\{/.test(Buffer.from(bytes.subarray(0, 64)).toString("latin1"));
