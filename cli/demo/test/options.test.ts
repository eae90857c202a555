import { expect, test } from "vitest";
import { capturedStream } from "../../testing/captured-output.ts";
import { DEFAULT_DEMO_OPTIONS, partitionText, readDemoArguments } from "../options.ts";

const read = (args: readonly string[]) => {
  const output = { stdout: capturedStream(), stderr: capturedStream() };
  return { command: readDemoArguments(args, output), output };
};

test.each<[string, string[], string]>([
  ["no rounds", ["--rounds", "0"], "It must be a whole number from 1 to 10000."],
  ["half a client", ["--clients", "1.5"], "It must be a whole number from 1 to 500."],
  ["too many clients", ["--clients", "501"], "It must be a whole number from 1 to 500."],
  ["no combiner", ["--combiners", "0"], "It must be a whole number from 1 to 32."],
  ["no epoch", ["--local-epochs", "0"], "It must be a whole number from 1 to 100."],
  ["a negative seed", ["--seed", "-1"], "It must be a whole number from 0."],
  ["an empty number", ["--seed", ""], "It must be a whole number from 0."],
  ["an unknown partition", ["--partition", "random"], "It must be iid or dirichlet:ALPHA"],
  ["a partition without spread", ["--partition", "dirichlet:0"], "It must be iid or dirichlet"],
  ["an unknown aggregator", ["--aggregator", "median"], "It must be fedavg or fedadam"],
  [
    "a server learning rate that nothing heeds",
    ["--server-learning-rate", "0.1"],
    "--server-learning-rate is not for fedavg",
  ],
  ["a negative mu", ["--mu", "-1"], "It must be a number from 0."],
  ["no client in a process", ["--clients-per-process", "0"], "from 1 to 64"],
  ["an unknown option", ["--fast"], "unknown option '--fast'"],
  ["an argument", ["now"], "too many arguments"],
  ["files without a place", ["files"], "missing required argument 'dir'"],
])("%s is a usage error that says what is wanted", (_what, args, message) => {
  const { command, output } = read(args);
  expect(command).toEqual({ kind: "done", status: 2 });
  expect(output.stderr.text()).toContain(message);
  expect(output.stdout.text()).toBe("");
});

test("without arguments the demo is the main job", () => {
  expect(read([]).command).toEqual({ kind: "run", json: false, options: DEFAULT_DEMO_OPTIONS });
  expect(DEFAULT_DEMO_OPTIONS).toMatchObject({ rounds: 30, clients: 4, combiners: 2, seed: 1 });
});

test("every option arrives", () => {
  const args =
    "--example mnist-cnn --rounds 2 --clients 3 --combiners 1 --partition dirichlet:0.5 --seed 7 --local-epochs 4 " +
    "--aggregator fedyogi " +
    "--server-learning-rate 0.1 --mu 0.01 --clients-per-process 3 --keep there --json";
  expect(read(args.split(" ")).command).toEqual({
    kind: "run",
    json: true,
    options: {
      example: "mnist-cnn",
      rounds: 2,
      clients: 3,
      combiners: 1,
      partition: { kind: "dirichlet", alpha: 0.5 },
      seed: 7,
      localEpochs: 4,
      aggregator: "fedyogi",
      serverLearningRate: 0.1,
      mu: 0.01,
      clientsPerProcess: 3,
      keep: "there",
    },
  });
});

test("options behind `files` are its own", () => {
  const { command } = read(["files", "there", "--clients", "2", "--package-only"]);
  expect(command).toMatchObject({
    kind: "files",
    directory: "there",
    options: { clients: 2, packageOnly: true, partition: { kind: "iid" } },
  });
});

test("a partition is written as it is read", () => {
  expect(partitionText({ kind: "iid" })).toBe("iid");
  expect(partitionText({ kind: "dirichlet", alpha: 0.5 })).toBe("dirichlet:0.5");
});
