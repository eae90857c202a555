/** Packages that use up processes, memory or disk, tried by real processes in every sandbox that this machine has. */
import { describe, expect, test } from "vitest";
import { sandboxesHere } from "../../compute-packages/command/testing/command-world.ts";
import {
  expectStopped,
  type HostileCase,
  MARK,
} from "../../compute-packages/command/testing/hostile-world.ts";

describe.each(sandboxesHere)("in the sandbox $kind, a command", (sandbox) => {
  // Where nothing but the watch bounds root's processes, a bomb would hurt whoever else is on this machine.
  const mayBomb = process.getuid?.() !== 0 || sandbox.kind === "namespaces";
  const cases: readonly HostileCase[] = [
    [
      "forks without end",
      ["bomb() { bomb | bomb & }", "bomb", `sleep ${MARK}`].join("\n"),
      // Where the kernel counts per namespace it says no by itself, and the bomb burns out.
      ["too-many-processes", "command-failed", "command-timed-out"],
    ],
    [
      "writes one file without end",
      "exec dd if=/dev/zero of=large bs=1M",
      ["file-too-large", "disk-full"],
    ],
    [
      "fills the disk with files within bounds",
      "for i in $(seq 64); do head -c 1000000 /dev/zero > f$i || exit 1; done",
      ["disk-full"],
    ],
    [
      "fills shared memory",
      "for i in $(seq 64); do head -c 1000000 /dev/zero > /dev/shm/f$i || exit 1; done; exit 1",
      ["disk-full", "command-failed"],
    ],
    [
      "takes memory in one process",
      'exec python3 -c \'len(bytes(1 << 30).replace(b"\\0", b"a"))\'',
      ["command-failed", "memory-exceeded"],
    ],
    [
      "takes memory in many processes",
      "for i in 1 2 3 4 5 6; do python3 -c 'x = bytearray(b\"a\" * (100 << 20)); input()' < <(sleep 5) & done; wait; sleep 9",
      ["memory-exceeded"],
    ],
  ];
  test.each(cases.filter(([what]) => mayBomb || what !== "forks without end"))(
    "that %s is stopped and leaves nothing behind; its owner is told why",
    (_what, script, codes) => expectStopped(sandbox, script, codes),
  );
});

test("this machine has a sandbox, or the tests above are worth nothing", () => {
  expect(sandboxesHere.length).toBeGreaterThan(0);
});
