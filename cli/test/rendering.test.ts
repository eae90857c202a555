import { expect, test } from "vitest";
import { paint } from "../output.ts";
import { liveLines } from "../rendering/live-lines.ts";
import { isSettled, renderRounds } from "../rendering/round-table.ts";
import { sessionCsv } from "../rendering/session-csv.ts";
import { settingsLines, summaryLines } from "../rendering/session-summary.ts";
import { renderFields, renderTable } from "../rendering/table.ts";
import {
  counted,
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  formatSeconds,
} from "../rendering/units.ts";
import { capturedStream, onScreen } from "../testing/captured-output.ts";
import { aRound, aSession, HASH_A, HASH_B, runningRound } from "../testing/session-views.ts";

test.each<[string, string]>([
  [formatBytes(0), "0 B"],
  [formatBytes(999), "999 B"],
  [formatBytes(1000), "1.0 kB"],
  [formatBytes(99_949), "99.9 kB"],
  [formatBytes(99_951), "100 kB"],
  [formatBytes(999_499), "999 kB"],
  [formatBytes(999_500), "1.0 MB"],
  [formatBytes(2 ** 31), "2.1 GB"],
  [formatBytes(3e18), "3000 PB"],
  [formatCount(0), "0"],
  [formatCount(999), "999"],
  [formatCount(131_072), "131,072"],
  [formatCount(1_234_567), "1,234,567"],
  [formatPercent(0.95125), "95.13 %"],
  [formatPercent(1), "100.00 %"],
  [formatSeconds(0), "0.00"],
  [formatSeconds(9_994), "9.99"],
  [formatSeconds(9_996), "10.0"],
  [formatSeconds(99_960), "100"],
  [formatDuration(949), "0.9 s"],
  [formatDuration(59_949), "59.9 s"],
  [formatDuration(59_950), "1 min 0 s"],
  [formatDuration(3_599_400), "59 min 59 s"],
  [formatDuration(12_000_000), "3 h 20 min"],
  [counted(1, "client"), "1 client"],
  [counted(0, "client"), "0 clients"],
  [counted(2000, "process", "processes"), "2,000 processes"],
])("%s is how a number is written", (written, wanted) => {
  expect(written).toBe(wanted);
});

test("a table lines its columns up and leaves no blanks at line ends", () => {
  const columns = [{ title: "name" }, { title: "bytes", align: "right" as const }, { title: "at" }];
  const rows = [
    ["a", "1.0 kB", ""],
    ["longer-name", "7 B", "here"],
  ];
  expect(renderTable(columns, rows)).toEqual([
    "name          bytes  at",
    "a            1.0 kB",
    "longer-name     7 B  here",
  ]);
});

test("fields stand below each other, and those without a value are left out", () => {
  expect(
    renderFields([
      ["a", "1"],
      ["longer", "2"],
      ["none", undefined],
      ["empty", ""],
    ]),
  ).toEqual(["a:       1", "longer:  2"]);
});

test("the table of rounds shows participants, loss, accuracy, seconds, bytes and state", () => {
  const session = aSession({
    committedRounds: 2,
    roundHistory: [
      aRound({ attempt: 1, status: "failed", foldedCount: 1, metrics: {}, updateBytes: 0 }),
      aRound({ attempt: 2 }),
      aRound({
        round: 2,
        metrics: { accuracy: 1, loss: 12.5 },
        updateBytes: 5e9,
        committedAtMs: 130_000,
      }),
      runningRound(3, {
        refusals: [
          { member: "b", code: "non-finite", seen: "", wanted: "" },
          { member: "b", code: "norm-too-large", seen: "", wanted: "" },
        ],
      }),
    ],
  });
  expect(renderRounds(session, 12_750)).toEqual([
    "  round  participants     loss  accuracy  seconds     bytes  state",
    "    1/3           1/2        –         –     1.94       0 B  failed",
    "    1/3           2/2   0.6321   82.41 %     1.94    422 kB  committed, attempt 2",
    "    2/3           2/2  12.5000  100.00 %      120    5.0 GB  committed",
    "    3/3           1/2        –         –     0.75    211 kB  training, 1 client refused",
  ]);
});

test.each([
  ["a round under way", aSession(), runningRound(1), false],
  ["a failed attempt", aSession(), aRound({ status: "failed" }), true],
  [
    "a committed round whose validation is out",
    aSession({ committedRounds: 1 }),
    aRound({ validatedCount: 1 }),
    false,
  ],
  [
    "a committed round that all clients validated",
    aSession({ committedRounds: 1 }),
    aRound(),
    true,
  ],
  [
    "a committed round before another",
    aSession({ committedRounds: 2 }),
    aRound({ validatedCount: 0 }),
    true,
  ],
  [
    "a committed round of a part of the clients, of which more validate",
    aSession({ committedRounds: 1, settings: { ...aSession().settings, clientFraction: 0.5 } }),
    aRound(),
    false,
  ],
  [
    "a committed round that nobody validates",
    aSession({ committedRounds: 1, settings: { ...aSession().settings, validate: false } }),
    aRound({ validatedCount: 0 }),
    true,
  ],
  ["any round of a session that ended", aSession({ status: "stopped" }), runningRound(1), true],
] as const)("%s is settled only when its line is final", (_what, session, round, settled) => {
  expect(isSettled(session, round)).toBe(settled);
});

test("a summary says what a session came to", () => {
  const session = aSession({
    status: "failed",
    committedRounds: 1,
    modelHash: HASH_B,
    endedAtMs: 74_000,
    reasons: [
      { code: "quorum-not-met", seen: "1", wanted: "2" },
      { code: "stopped-by-admin", seen: "lunch", wanted: "a session that goes on" },
    ],
    roundHistory: [aRound()],
  });
  expect(summaryLines(session, 0)).toEqual([
    "session:   mnist, prfx5z4pnxoi6vogs5iokvzwi4",
    "status:    failed",
    "because:   quorum-not-met: seen 1, wanted 2",
    "           lunch",
    "rounds:    1 of 3 committed",
    `model:     ${HASH_B}`,
    "accuracy:  82.41 % of 10,000 validation examples at 2 clients, after round 1",
    "loss:      0.6321",
    "started:   1970-01-01 00:00:09 UTC",
    "took:      1 min 5 s",
    "updates:   422 kB",
  ]);
});

test("the settings of a session are shown whole", () => {
  expect(settingsLines(aSession())).toEqual([
    `package:          ${HASH_B}`,
    `seed model:       ${HASH_A}`,
    "aggregator:       fedavg",
    "proximal mu:      0",
    "clients:          at least 2, quorum 2, at most 16",
    "fraction:         1, over-selection 0",
    "round:            at most 10 min 0 s, 5 attempts",
    "update limits:    |change| ≤ 8, ≤ 32,768 examples",
    "grid:             multiples of 2^-29; the mean is off by at most 9.3e-10",
    `seed:             ${HASH_A}`,
    "hyperparameters:  localEpochs=2",
    "validation:       yes",
  ]);
});

test("the exported table has a line per attempt and a column per metric", () => {
  const session = aSession({
    roundHistory: [aRound(), runningRound(2, { metrics: { f1: 0.5 } })],
  });
  expect(sessionCsv(session)).toBe(
    "round,attempt,status,cohort,folded,weight_sum,update_bytes,opened_at_ms,committed_at_ms,seconds," +
      "model_hash,validated_clients,validated_examples,metric_accuracy,metric_f1,metric_loss\n" +
      `1,1,committed,2,2,60000,421776,10000,11940,1.94,${HASH_B},2,10000,0.8241,,0.63214\n` +
      "2,1,training,2,1,60000,210888,12000,,,,0,0,,0.5,\n",
  );
});

test("on a terminal, changing lines are redrawn below those that are settled", () => {
  const stream = capturedStream({ isTty: true, columns: 12 });
  const lines = liveLines(stream);
  lines.show(["one", "a line that is too long"]);
  lines.show(["two"]);
  lines.settle(["done 1"]);
  lines.show(["three", "four"]);
  expect(onScreen(stream.text())).toEqual(["done 1", "three", "four"]);
  lines.end();
  expect(onScreen(stream.text())).toEqual(["done 1"]);
  expect(stream.text()).toContain("a line tha…\n");
});

test("without a terminal, only settled lines are written, each once", () => {
  const stream = capturedStream();
  const lines = liveLines(stream);
  lines.show(["one"]);
  lines.settle(["done 1", "done 2"]);
  lines.show(["two"]);
  lines.end();
  expect(stream.text()).toBe("done 1\ndone 2\n");
});

test("colours appear only where the stream shows them", () => {
  expect(paint(capturedStream(), "red", "no")).toBe("no");
  expect(paint(capturedStream({ hasColour: true }), "red", "yes")).toBe("\u001b[31myes\u001b[0m");
});
