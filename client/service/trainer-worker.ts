/**
 * The trainer: the thread that runs compute packages next to the data, bundled as dist/client-trainer.cjs. It talks to
 * nobody but the service that started it, and holds neither key nor connection.
 */
import { parentPort } from "node:worker_threads";
import { assertInvariant } from "../../lib/base/refusal.ts";
import type { FromTrainer, ToTrainer } from "./trainer-messages.ts";
import { TrainerTasks } from "./trainer-tasks.ts";

const port = parentPort;
assertInvariant(port !== null, "the trainer is started as a worker thread");
const tasks = new TrainerTasks();

/** One after another; a failure here is a bug and ends the thread, which the service reports and survives. */
let last: Promise<void> = Promise.resolve();
port.on("message", (message: ToTrainer) => {
  last = last.then(() => take(message));
});

async function take(message: ToTrainer): Promise<void> {
  switch (message.kind) {
    case "load-data": {
      const { data } = message;
      const problem = await tasks.loadData(data, message.path);
      return send(
        problem === undefined
          ? { kind: "data-loaded", data }
          : { kind: "data-unreadable", data, code: "data-unreadable", message: problem },
      );
    }
    case "hold":
      return tasks.hold(message.what, message.digest, message.bytes);
    case "drop":
      return tasks.drop(message.what, message.digest);
    case "run": {
      const flag = new Int32Array(message.cancelFlag);
      const result = await tasks.run(message.request, () => Atomics.load(flag, 0) !== 0);
      return send({ kind: "ended", result });
    }
    case "close":
      await tasks.close();
      return port?.close();
  }
}

function send(message: FromTrainer): void {
  const isUpdate = message.kind === "ended" && message.result.kind === "trained";
  const body = isUpdate ? [message.result.update.body.buffer as ArrayBuffer] : [];
  port?.postMessage(message, body);
}
