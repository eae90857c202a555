/** How much of the rounds was clients' training, from what the clients log. */

export type TrainingTime = {
  /** Takes any line that a role logged. */
  readonly read: (line: string) => void;
  /** Sum over rounds of the slowest client's training, waiting for its turn in a shared process included. */
  readonly totalMs: () => number;
};

export function trainingTime(): TrainingTime {
  const slowestMs = new Map<number, number>();
  return {
    read: (line) => {
      // Most lines are something else; parsing them all would take time from the training that is measured.
      if (!line.includes('"task.ended"')) return;
      const task = parseTask(line);
      if (task === undefined) return;
      slowestMs.set(task.round, Math.max(slowestMs.get(task.round) ?? 0, task.durationMs));
    },
    totalMs: () => [...slowestMs.values()].reduce((sum, each) => sum + each, 0),
  };
}

type Task = { readonly round: number; readonly durationMs: number };

function parseTask(line: string): Task | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { task, outcome, round, durationMs } = value as Record<string, unknown>;
  const isTraining = task === "train" && outcome === "trained";
  return isTraining && typeof round === "number" && typeof durationMs === "number"
    ? { round, durationMs }
    : undefined;
}
