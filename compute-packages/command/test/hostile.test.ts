/**
 * What packages must not be able to do, tried by real processes in every sandbox that this machine has. Those that use up
 * processes, memory or disk are in test/long/command-exhaustion.test.ts: where a bound fails, they hurt the machine.
 */
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SANDBOXES } from "../sandbox/detect.ts";
import { sandboxesHere, testDirectory, testRunner } from "../testing/command-world.ts";
import {
  expectStopped,
  type HostileCase,
  MARK,
  stillRunning,
  training,
} from "../testing/hostile-world.ts";

if (sandboxesHere.length < SANDBOXES.length) {
  const missing = SANDBOXES.filter((each) => !sandboxesHere.includes(each));
  process.stderr.write(
    `not tested here: sandboxes ${missing.map(({ kind }) => kind).join(", ")}\n`,
  );
}

describe.each(sandboxesHere)("in the sandbox $kind, a command", (sandbox) => {
  /** What it printed when it was let do, ending in failure all the same. */
  async function attempt(script: string, directory?: string): Promise<string> {
    const given = directory === undefined ? {} : { directory };
    const runner = await testRunner(sandbox, training(`${script}\nexit 1`), {}, given);
    await expect(runner.train()).rejects.toMatchObject({ code: "command-failed" });
    return runner.reports[0]!.output;
  }

  describe("that reaches for the network", () => {
    const server = createServer();
    let connections = 0;
    let port = 0;
    beforeEach(async () => {
      connections = 0;
      server.on("connection", (socket) => {
        connections += 1;
        socket.destroy();
      });
      await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
      port = (server.address() as { port: number }).port;
    });
    afterEach(() => new Promise((resolve) => server.close(resolve)));

    test("reaches nobody, not even this machine", async () => {
      const output = await attempt(
        [`exec 5<>/dev/tcp/127.0.0.1/${port} && echo connected`, "ls /sys/class/net 2>&1"].join(
          "\n",
        ),
      );
      expect(output).toMatch(/refused|unreachable/);
      expect(output).not.toMatch(/^connected$/m);
      expect(connections).toBe(0);
    });

    test("finds no socket of a local service either", async () => {
      expect(await attempt("ls /run /var/run 2>&1")).toMatch(
        /\/run': No such.*\/var\/run': No such/s,
      );
    });
  });

  test("sees nothing of the disk but the system's programs, its package, its task and its data", async () => {
    const directory = await testDirectory();
    const secret = path.join(directory, "secret");
    await writeFile(secret, "another patient");
    await writeFile(path.join(directory, "work-secret"), "a key");
    const output = await attempt(
      [
        `cat '${secret}' '${directory}/my data/patients.csv' /etc/shadow /etc/passwd`,
        "ls -a / /data /task /root /home 2>&1",
        "cat /proc/*/environ | tr '\\0' '\\n' | grep PATH=",
      ].join("\n"),
      directory,
    );
    expect(output).not.toMatch(/another patient|root:/);
    expect(output).not.toContain(process.env.PATH ?? "no path");
    const [, root = ""] = /^\/:\n(.*?)\n\n/ms.exec(output) ?? [];
    const known =
      "bin data dev etc lib lib32 lib64 libx32 modules package proc sbin source task tmp usr";
    const seen = root.split("\n").filter((name) => !/^\.+$/.test(name));
    expect(seen.filter((name) => !known.split(" ").includes(name))).toEqual([]);
    expect(seen).toContain("data");
  });

  test("changes nothing but its own copy", async () => {
    const output = await attempt(
      [
        'echo x > "$FEDN_DATA_PATH"; echo x > /data/new; echo x > /source/new; echo x > /task/new',
        "echo x > /modules/new; echo x > /usr/new; echo x > /new; echo x > /etc/new; echo x > /dev/new",
        'echo x > new && echo x > /tmp/new && echo kept; cat "$FEDN_DATA_PATH"',
      ].join("\n"),
    );
    expect(output.match(/Read-only file system|Permission denied/g)).toHaveLength(9);
    expect(output).toContain("kept");
    expect(output).toContain("examples");
  });

  test("has no privilege left to make its sandbox larger", async () => {
    const output = await attempt(
      [
        "grep -E 'Cap(Prm|Eff|Bnd)|NoNewPrivs' /proc/self/status",
        "mount -o remount,rw / 2>&1; mount -t tmpfs none /data 2>&1; umount /data 2>&1",
        "unshare -Ur true 2>&1 && echo a namespace of its own",
        "echo 1 > /proc/sys/kernel/core_pattern",
        `kill -9 ${process.pid} 2>&1`,
      ].join("\n"),
    );
    expect(output.match(/Cap\w+:\t0{16}\n/g)).toHaveLength(3);
    expect(output).toContain("NoNewPrivs:\t1");
    expect(output).not.toContain("a namespace of its own");
    expect(output).toMatch(/No such process|not permitted/);
  });

  const cases: readonly HostileCase[] = [
    ["prints without end", "yes for ever", ["output-too-long"]],
    ["prints errors without end", "yes for ever >&2", ["output-too-long"]],
    ["hangs", `trap '' TERM INT HUP; sleep ${MARK}`, ["command-timed-out"]],
    ["computes without end", "while :; do :; done", ["command-timed-out", "cpu-time-exceeded"]],
    [
      "leaves somebody behind who holds the pipes and hangs",
      `setsid sleep ${MARK} & sleep ${MARK}`,
      ["command-timed-out"],
    ],
    [
      "forges what the sandbox hands over",
      "echo nonsense > /proc/1/fd/3; head -c 100000 /dev/zero > /proc/1/fd/3; exit 0",
      ["result-missing", "result-malformed", "command-failed"],
    ],
    [
      "hands over more than any model",
      'head -c 20000000 /dev/zero > "$2"; echo "{}" > "$2-metadata"; exit 0',
      ["result-too-large"],
    ],
  ];
  test.each(cases)(
    "that %s is stopped and leaves nothing behind; its owner is told why",
    (_what, script, codes) => expectStopped(sandbox, script, codes),
  );

  test("that ends while others of its processes go on is over with them", async () => {
    const runner = await testRunner(
      sandbox,
      training(`(setsid sleep ${MARK} > /dev/null 2>&1 &); sh train.sh "$1" "$2"`),
    );
    expect(await runner.train()).toMatchObject({ exampleCount: 5 });
    expect(stillRunning()).toEqual([]);
  });
});

test("this machine has a sandbox, or the tests above are worth nothing", () => {
  expect(sandboxesHere.length).toBeGreaterThan(0);
});
