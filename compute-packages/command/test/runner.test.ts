import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { dangerouslyUnsandboxed } from "../sandbox/unsandboxed.ts";
import { allWaysHere, commandPackage, testRunner } from "../testing/command-world.ts";
import { numpyPython, plainPython } from "../testing/python.ts";

const UNCHANGED = {
  exampleCount: 5,
  deltas: [[0, 0, 0, 0], [0]],
};

describe.each(allWaysHere)("a package of commands (sandbox: $kind)", (sandbox) => {
  test("trains and validates: arguments, working directory and files are FEDn's", async () => {
    const runner = await testRunner(
      sandbox,
      commandPackage({
        files: {
          "train.sh": [
            "set -e",
            "[ $# = 2 ] && [ -f ./train.sh ] && [ -f lib/part.txt ]",
            `case "$1 $2" in *.npz\\ *.npz) ;; *) exit 9 ;; esac`,
            `[ "$(cat "$1-metadata")" = '{"lr":0.5}' ]`,
            `cp "$1" "$2"`,
            `echo '{"num_examples": 5, "lr": 0.5}' > "$2-metadata"`,
            "echo trained; echo warned >&2",
          ].join("\n"),
          "lib/part.txt": "part",
        },
      }),
    );
    expect(await runner.train({ hyperparameters: { lr: 0.5 } })).toEqual(UNCHANGED);
    expect(await runner.validate()).toEqual({
      exampleCount: 1,
      metrics: [{ name: "loss", value: 0.5 }],
    });
    expect(runner.reports).toMatchObject([
      { entryPoint: "train", code: undefined },
      { entryPoint: "validate", code: undefined, output: "" },
    ]);
    expect(runner.reports[0]!.output.split("\n").toSorted()).toEqual(["", "trained", "warned"]);
  });

  test("sees its data under its own name, the member's seed, and what the owner lends it", async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
    const name = "${FEDN_DATA_PATH##*/}";
    const line = `echo "$(cat "$FEDN_DATA_PATH") ${name} $FEDCLAVE_SEED $LENT $HOME_SECRET"`;
    const runner = await testRunner(
      sandbox,
      commandPackage({ entries: { train: `${line} && sh train.sh` } }),
      { environment: { LENT: "lent" } },
    );
    process.env.HOME_SECRET = "secret of this process";
    await runner.train();
    delete process.env.HOME_SECRET;
    expect(runner.reports[0]!.output).toBe(`examples patients.csv ${"07".repeat(32)} lent \n`);
  });

  test("a command is a line for bash, and files beginning with #! can be executed", async () => {
    const runner = await testRunner(
      sandbox,
      commandPackage({
        entries: {
          train: 'if [[ -n "$FEDN_DATA_PATH" ]]; then ./entrypoint train; fi; sh train.sh',
        },
        files: { entrypoint: '#!/bin/sh\necho "entry $1"\n' },
      }),
    );
    expect(await runner.train()).toEqual(UNCHANGED);
    expect(runner.reports[0]!.output).toBe("entry train\n");
  });

  test("startup comes before each task; what a task writes is gone with it", async () => {
    const runner = await testRunner(
      sandbox,
      commandPackage({
        entries: {
          startup: "[ ! -e made ] && [ ! -e $TMPDIR/left ] && echo yes > made",
          train: "cat made && touch $TMPDIR/left && sh train.sh",
        },
      }),
    );
    await runner.train();
    await runner.train();
    expect(runner.reports.map(({ output }) => output)).toEqual(["yes\n", "yes\n"]);
  });

  test("a startup that fails alone, as one that downloads must, is noted and stops nothing", async () => {
    const entries = { startup: "echo no network >&2; exit 7; true" };
    const runner = await testRunner(sandbox, commandPackage({ entries }));
    expect(await runner.train()).toEqual(UNCHANGED);
    expect(runner.reports).toMatchObject([{ code: undefined }]);
    expect(runner.reports[0]!.output).toMatch(
      /no network\n\[startup ended with status 7; going on/,
    );
  });

  test("nothing stays on the disk, neither of a task nor of a runner that is closed", async () => {
    const runner = await testRunner(sandbox, commandPackage());
    await runner.train();
    const work = path.join(runner.directory, "work");
    const [home] = await readdir(work);
    expect(await readdir(path.join(work, home!))).toEqual(["source"]);
    await runner.close();
    expect(await readdir(work)).toEqual([]);
  });

  test.each<[string, Parameters<typeof commandPackage>[0], string, RegExp]>([
    [
      "fails",
      { entries: { train: "echo why >&2; exit 3; true" } },
      "command-failed",
      /status 3.*why/s,
    ],
    [
      "fails to start up",
      { entries: { startup: "exit 4; true", train: "exit 3; true" } },
      "startup-failed",
      /status 4.*with 3/,
    ],
    ["is not there", { entries: { train: "no-such-program" } }, "command-failed", /status 127/],
    ["kills itself", { entries: { train: "kill -9 $$; true" } }, "command-failed", /status 137/],
    ["leaves no model", { files: { "train.sh": "true" } }, "result-missing", /model-out.npz/],
    [
      "leaves no metadata",
      { files: { "train.sh": 'cp "$1" "$2"' } },
      "result-missing",
      /model-out.npz-metadata/,
    ],
    [
      "leaves a folder for a model",
      { files: { "train.sh": 'mkdir "$2"; echo "{}" > "$2-metadata"' } },
      "result-missing",
      /model-out/,
    ],
    [
      "does not say on how many examples it trained",
      { files: { "train.sh": 'cp "$1" "$2"; echo "{}" > "$2-metadata"' } },
      "result-malformed",
      /num_examples/,
    ],
    [
      "leaves something else than a model",
      { files: { "train.sh": `echo no > "$2"; echo '{"num_examples": 5}' > "$2-metadata"` } },
      "zip-malformed",
      /./,
    ],
  ])(
    "a train that %s is told as such, and the next task is as good as ever",
    async (_what, changes, code, message) => {
      const runner = await testRunner(sandbox, commandPackage(changes));
      await expect(runner.train()).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
      expect(runner.reports.at(-1)!.code).toBe(
        code === "zip-malformed" ? "result-malformed" : code,
      );
      if (changes?.entries?.startup === undefined) await runner.validate();
    },
  );

  test("a package without validate says so", async () => {
    const pkg = commandPackage();
    const { validate: _, ...entries } = pkg.manifest.entry_points;
    const runner = await testRunner(sandbox, {
      ...pkg,
      manifest: { ...pkg.manifest, entry_points: entries },
    });
    await expect(runner.validate()).rejects.toMatchObject({ code: "entry-point-missing" });
  });

  test("a proximal term is refused: commands would silently leave it out", async () => {
    const runner = await testRunner(sandbox, commandPackage());
    await expect(runner.train({ proximalMu: 0.1 })).rejects.toThrow(/proximal-not-supported/);
  });

  test("is cancelled in the middle", async () => {
    const runner = await testRunner(
      sandbox,
      commandPackage({ entries: { train: "echo begun; sleep 60; true" } }),
    );
    let looks = 0;
    const isCancelled = () => {
      looks += 1;
      return looks > 2;
    };
    await expect(runner.train({ isCancelled })).rejects.toMatchObject({ code: "cancelled" });
  });

  test.skipIf(numpyPython === undefined)(
    "FEDn's helpers are there for packages that import them",
    async () => {
      const train = [
        "import sys",
        "from fedn.common.log_config import logger",
        "from fedn.utils.helpers.helpers import get_helper, load_metadata, save_metadata",
        'helper = get_helper("numpyhelper")',
        "weights = helper.load(sys.argv[1])",
        "weights[1] = weights[1].astype('f8') + load_metadata(sys.argv[1])['step']",
        "helper.save([each.T.copy(order='F').T for each in weights], sys.argv[2])",
        'save_metadata({"num_examples": 5}, sys.argv[2])',
        'logger.info("done")',
      ].join("\n");
      const runner = await testRunner(
        sandbox,
        commandPackage({ entries: { train: "python3 train.py" }, files: { "train.py": train } }),
      );
      expect(await runner.train({ hyperparameters: { step: 0.25 } })).toEqual({
        exampleCount: 5,
        deltas: [[0, 0, 0, 0], [0.25]],
      });
      expect(runner.reports[0]!.output).toMatch(/done/);
    },
  );

  test.skipIf(plainPython === undefined)("python is python3 where there is no other", async () => {
    const entries = { train: "python -c 'import sys; print(sys.version_info[0])' && sh train.sh" };
    const runner = await testRunner(sandbox, commandPackage({ entries }));
    await runner.train();
    expect(runner.reports[0]!.output).toBe("3\n");
  });

  test.skipIf(numpyPython === undefined)("FEDn itself goes before its stand-in", async () => {
    const runner = await testRunner(
      sandbox,
      commandPackage({
        entries: { train: "python3 -c 'import fedn.mark' && sh train.sh" },
        files: { "fedn/__init__.py": "", "fedn/mark.py": "print('the package brings its own')" },
      }),
    );
    await runner.train();
    expect(runner.reports[0]!.output).toBe("the package brings its own\n");
  });
});

const wanting = (run: readonly string[]) =>
  commandPackage({
    entries: {
      train: "echo $VIRTUAL_ENV; python3 -c 'import sys; print(sys.prefix)'; sh train.sh",
    },
    files: { "env.yaml": "name: own\n" },
    manifest: { python_env: "env.yaml" },
    command: { pythonDependencies: { build: [], run } },
  });

describe.each(allWaysHere)("a package with a Python environment (sandbox: $kind)", (sandbox) => {
  test("is refused unless the owner allows one, and told how", async () => {
    const runner = await testRunner(sandbox, wanting(["numpy"]));
    await expect(runner.train()).rejects.toMatchObject({
      code: "python-env-not-allowed",
      message: expect.stringMatching(/numpy.*--python-env make/s),
    });
    expect(runner.reports).toMatchObject([{ entryPoint: "train", code: "python-env-not-allowed" }]);
  });

  test("runs with the Python that is here where the owner says so", async () => {
    const runner = await testRunner(sandbox, wanting(["numpy"]), { pythonEnvironments: "system" });
    expect(await runner.train()).toEqual(UNCHANGED);
    expect(runner.reports[0]!.output).toBe("\n/usr\n");
  });

  test("gets one that is made once and kept", async () => {
    const runner = await testRunner(sandbox, wanting([]), { pythonEnvironments: "make" });
    await runner.train();
    const kept = path.join(runner.directory, "python-environments");
    const [digest, ...others] = await readdir(kept);
    expect(others).toEqual([]);
    const inside = sandbox.kind === "none" ? path.join(kept, digest!, "environment") : "/env";
    expect(runner.reports[0]!.output).toBe(`${inside}\n${inside}\n`);
    await writeFile(path.join(kept, digest!, "environment", "mark"), "kept");
    await runner.train();
    expect(await readFile(path.join(kept, digest!, "environment", "mark"), "utf8")).toBe("kept");
  });
});

const [anyWay = dangerouslyUnsandboxed] = allWaysHere;

test("an environment is refused clearly where nothing can be downloaded, and not kept half made", async () => {
  const runner = await testRunner(anyWay, wanting(["no-such-package"]), {
    pythonEnvironments: "make",
    // Nobody listens there.
    environment: { PIP_INDEX_URL: "http://127.0.0.1:9/", PIP_RETRIES: "0" },
  });
  await expect(runner.train()).rejects.toMatchObject({
    code: "python-env-failed",
    message: expect.stringMatching(/cannot be made/),
  });
  const kept = path.join(runner.directory, "python-environments");
  const [digest] = await readdir(kept);
  expect(existsSync(path.join(kept, digest!, "complete"))).toBe(false);
}, 120_000);
