/** The demo's command line. */
import { Command, type CommanderError, InvalidArgumentError } from "commander";
import {
  type PartitionRule,
  parsePartitionRule,
} from "../../compute-packages/examples/mnist/partition.ts";
import { choice, integer, number } from "../commands/options.ts";
import { EXAMPLE_NAMES, type ExampleName } from "../example-names.ts";
import type { OutputStream } from "../output.ts";
import { AGGREGATORS } from "../session-options.ts";

export type DemoOptions = {
  readonly example: ExampleName;
  readonly rounds: number;
  readonly clients: number;
  readonly combiners: number;
  readonly partition: PartitionRule;
  /** Decides data, seed model and all randomness of training. */
  readonly seed: number;
  readonly localEpochs: number;
  readonly aggregator: (typeof AGGREGATORS)[number];
  readonly serverLearningRate?: number;
  /** FedProx. */
  readonly mu: number;
  /** Members that share one client process. */
  readonly clientsPerProcess: number;
  /** Where everything stays; without it, a temporary directory that is removed. */
  readonly keep?: string;
};

export type DemoCommand =
  | { readonly kind: "run"; readonly options: DemoOptions; readonly json: boolean }
  | { readonly kind: "files"; readonly directory: string; readonly options: ExampleOptions }
  | { readonly kind: "done"; readonly status: 0 | 2 };

/** What `demo files` writes. */
export type ExampleOptions = Pick<DemoOptions, "example" | "clients" | "partition" | "seed"> & {
  readonly packageOnly?: true;
};

export const DEFAULT_DEMO_OPTIONS: DemoOptions = {
  example: "mnist",
  rounds: 30,
  clients: 4,
  combiners: 2,
  partition: { kind: "iid" },
  seed: 1,
  localEpochs: 10,
  aggregator: "fedavg",
  mu: 0,
  clientsPerProcess: 1,
};

type DemoFlags = Partial<DemoOptions> & { readonly json?: true };

const MAX_ROUNDS = 10_000;
/** More data files than this would hold too few images each to learn from. */
const MAX_CLIENTS = 500;
const MAX_COMBINERS = 32;

/** "iid" or "dirichlet:0.5". */
export const partitionText = (rule: PartitionRule): string =>
  rule.kind === "iid" ? "iid" : `dirichlet:${rule.alpha}`;

/**
 * Reads the arguments; help and complaints go to the streams.
 * @param args  without node and script
 */
export function readDemoArguments(
  args: readonly string[],
  output: { readonly stdout: OutputStream; readonly stderr: OutputStream },
): DemoCommand {
  let command: DemoCommand = { kind: "done", status: 0 };
  const program = new Command("fedclave demo");
  program
    .description(
      "Trains MNIST in a federation on this machine: a reducer, combiners and clients as separate processes, which " +
        "talk gRPC over mutual TLS. Nothing stays behind but what --keep names.",
    )
    // The subcommand has options of the same names.
    .enablePositionalOptions()
    .showHelpAfterError("(add --help for the options)")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => output.stdout.write(text),
      writeErr: (text) => output.stderr.write(text),
    });
  addRunOptions(program).action((flags: DemoFlags) => {
    const { json, ...given } = flags;
    const options = { ...DEFAULT_DEMO_OPTIONS, ...given };
    if (options.serverLearningRate !== undefined && options.aggregator === "fedavg") {
      program.error("error: --server-learning-rate is not for fedavg; choose another --aggregator");
    }
    command = { kind: "run", options, json: json === true };
  });
  addFilesCommand(program).action((directory: string, flags: Partial<ExampleOptions>) => {
    command = { kind: "files", directory, options: { ...DEFAULT_DEMO_OPTIONS, ...flags } };
  });
  try {
    program.parse([...args], { from: "user" });
  } catch (error) {
    if (!isCommanderError(error)) throw error;
    return { kind: "done", status: error.exitCode === 0 ? 0 : 2 };
  }
  return command;
}

function addRunOptions(program: Command): Command {
  const { rounds, combiners, localEpochs } = DEFAULT_DEMO_OPTIONS;
  const kinds = `one of ${AGGREGATORS.join(", ")}`;
  return addDataOptions(program)
    .option("--rounds <n>", "rounds to train", integer(1, MAX_ROUNDS), rounds)
    .option("--combiners <n>", "combiners to start", integer(1, MAX_COMBINERS), combiners)
    .option("--local-epochs <n>", "epochs of a client per round", integer(1, 100), localEpochs)
    .option("--aggregator <kind>", kinds, choice(AGGREGATORS), "fedavg")
    .option("--server-learning-rate <x>", "of adaptive aggregators (default: 0.01)", number(0))
    .option("--mu <x>", "FedProx: weight of the proximal term", number(0), 0)
    .option("--clients-per-process <n>", "clients that share a process", integer(1, 64), 1)
    .option("--keep <dir>", "a new directory for homes, data and logs, which stays")
    .option("--json", "progress on standard error; the last line of standard output is the result");
}

const addFilesCommand = (program: Command): Command =>
  addDataOptions(program.command("files"))
    .description("Writes the demo's package and data, to run a federation by hand.")
    .argument("<dir>", "a new directory")
    .option("--package-only", "no data");

const addDataOptions = (command: Command): Command =>
  command
    .option(
      "--example <name>",
      `which package, ${EXAMPLE_NAMES.join(" or ")}`,
      choice(EXAMPLE_NAMES),
      DEFAULT_DEMO_OPTIONS.example,
    )
    .option(
      "--clients <n>",
      "clients among which the images are split",
      integer(1, MAX_CLIENTS),
      DEFAULT_DEMO_OPTIONS.clients,
    )
    .option(
      "--partition <rule>",
      "how training images are spread: iid, or dirichlet:ALPHA, smaller is more uneven (default: iid)",
      readPartition,
    )
    .option(
      "--seed <n>",
      "the same seed gives the same model, whatever the number of combiners",
      integer(0),
      DEFAULT_DEMO_OPTIONS.seed,
    );

function readPartition(text: string): PartitionRule {
  const rule = parsePartitionRule(text);
  if (rule === undefined) {
    throw new InvalidArgumentError("It must be iid or dirichlet:ALPHA, such as dirichlet:0.5.");
  }
  return rule;
}

const isCommanderError = (error: unknown): error is CommanderError =>
  error instanceof Error && "exitCode" in error;
