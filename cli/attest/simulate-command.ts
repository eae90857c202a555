/** `fedclave attest simulate`: evidence of a TEE in software, honest or with one thing wrong, to try verifiers on. */
import path from "node:path";
import type { Command } from "commander";
import type { Knob, KnobAnswer } from "../../lib/attestation/attester/simulated/knobs/knob.ts";
import { findKnob, KNOBS } from "../../lib/attestation/attester/simulated/knobs/knobs.ts";
import { createDevelopmentRoot } from "../../lib/attestation/attester/simulated/root/development-root.ts";
import { openDevelopmentRoot } from "../../lib/attestation/attester/simulated/root/development-root-file.ts";
import type { Tee } from "../../lib/attestation/verification/claims.ts";
import { usageError } from "../cli-error.ts";
import { writeNewFile } from "../commands/member.ts";
import { choice } from "../commands/options.ts";
import type { CommandContext } from "../context.ts";
import { makeDirectory } from "../make-directory.ts";
import { writeJson, writeLine } from "../output.ts";
import { renderTable } from "../rendering/table.ts";
import { type SimulatedFile, simulateEvidence } from "./simulate-evidence.ts";

const TEES: readonly Tee[] = ["sgx", "tdx", "sev-snp"];

type Options = {
  readonly out?: string;
  readonly tee: Tee;
  readonly knob: string;
  readonly developmentRoot?: string;
  readonly list?: true;
  readonly json?: true;
};

/** `fedclave attest simulate`: evidence of a simulated enclave, and what vouches for it. */
export function addSimulateCommand(group: Command, context: CommandContext): void {
  group
    .command("simulate")
    .summary("make evidence of a TEE in software, to try things on")
    .description(
      "Writes evidence in the genuine format under a development root, with what vouches for it. It promises " +
        "nothing: only who names its root.der with --root believes it. --knob makes one thing wrong.",
    )
    .option("--out <dir>", "where the files go")
    .option("--tee <tee>", "sgx, tdx or sev-snp", choice(TEES), "sgx")
    .option("--knob <name>", "what is wrong", "honest")
    .option("--list", "the knobs there are")
    .option(
      "--development-root <dir>",
      "keep the root here, and use it again (default: a new one, whose keys are forgotten)",
    )
    .option("--json", "one line of JSON")
    .action((options: Options) =>
      options.list === true ? listKnobs(context, options) : simulate(context, options),
    );
}

function listKnobs({ stdout }: CommandContext, { json }: Options): void {
  if (json === true) {
    const knobs = KNOBS.map(({ name, about, tees, answer }) => ({ name, about, tees, answer }));
    return writeJson(stdout, { knobs });
  }
  const rows = KNOBS.map(({ name, tees, answer, about }) => [
    name,
    tees.join(" "),
    answerOf(answer),
    about,
  ]);
  const titles = ["knob", "TEE", "answer", "what it does"];
  for (const line of renderTable(
    titles.map((title) => ({ title })),
    rows,
  )) {
    writeLine(stdout, line);
  }
}

async function simulate(context: CommandContext, options: Options): Promise<void> {
  const { clock, randomness, stdout } = context;
  const { out, tee, developmentRoot } = options;
  if (out === undefined)
    throw usageError("name a directory with --out, or see what there is with --list");
  const knob = knobArgument(options.knob, tee);
  const nowMs = clock.untrustedNowMs();
  const root =
    developmentRoot === undefined
      ? createDevelopmentRoot({ randomness, nowMs })
      : await openDevelopmentRoot(developmentRoot, clock, randomness);
  const files = await simulateEvidence({ root, tee, knob, nowMs });
  await makeDirectory(out, 0o755);
  for (const { name, content } of files) await writeNewFile(path.join(out, name), content);
  const command = verifyCommand(out, files);
  if (options.json === true) {
    const written = files.map(({ name }) => path.join(out, name));
    return writeJson(stdout, { files: written, knob: knob.name, answer: knob.answer, command });
  }
  for (const { name } of files) writeLine(stdout, `Wrote ${path.join(out, name)}`);
  const told = [`${knob.about} Expect: ${answerOf(knob.answer)}.`, "", `  ${command}`];
  for (const line of ["", ...told]) writeLine(stdout, line);
}

/** @throws CliError "usage" */
function knobArgument(name: string, tee: Tee): Knob {
  const knob = findKnob(name);
  if (knob === undefined) throw usageError(`--knob "${name}" is none; see: attest simulate --list`);
  if (!knob.tees.includes(tee)) {
    throw usageError(`--knob ${name} is for --tee ${knob.tees.join(" or ")}`);
  }
  return knob;
}

function verifyCommand(out: string, files: readonly SimulatedFile[]): string {
  const words = files.flatMap(({ name, use }) => {
    const file = path.join(out, name);
    if (use === "also") return [];
    return use === "evidence" ? [file] : [use, file];
  });
  return `fedclave attest verify ${words.join(" ")}`;
}

function answerOf(answer: KnobAnswer): string {
  switch (answer.by) {
    case "nobody":
      return "accepted";
    case "parser":
      return `unreadable, ${answer.code}`;
    case "verifier":
      return `not genuine, ${answer.code}`;
    case "default-policy":
      return `refused, ${answer.code}`;
    case "floor":
      return `accepted, unless newer was seen: ${answer.code}`;
    case "tcb-policy":
      return `accepted, but for a TCB policy: ${answer.code}`;
  }
}
