/** A client without training: attends, answers each task with one shared body, signed in its own name. */
import type { Clock } from "../lib/base/clock.ts";
import { type Digest, digestOf } from "../lib/base/ids.ts";
import type { Log } from "../lib/base/log.ts";
import { type Connection, connect } from "../lib/transport/connect.ts";
import type { Membership } from "../lib/transport/membership.ts";
import type { ReceivedResponseOf } from "../lib/transport/rpcs.ts";
import { sendUpload } from "../lib/transport/send-upload.ts";
import { signUpdateHeader } from "../lib/transport/update-header-message.ts";
import { needDigest, needRoundKey } from "../lib/transport/wire-fields.ts";
import type { fedclave } from "../proto/generated/fedclave.js";

export type LightClient = {
  /** Called with every task, before it is answered. */
  readonly onTask: (listener: (task: Task) => void) => void;
  readonly failed: Promise<never>;
  readonly close: () => void;
};

export type Task = ReceivedResponseOf<"Tasks.Attend">;

/** The update that every light client sends: canonical safetensors over the model's trainable tensors. */
export type SharedUpdate = { readonly body: Uint8Array; readonly exampleCount: number };

/** Attends the combiner it is assigned, until closed. */
export async function startLightClient(
  membership: Membership,
  update: SharedUpdate,
  ports: { readonly clock: Clock; readonly log: Log },
): Promise<LightClient> {
  const assignment = await membership.reducer.unary("Assignments.Assign", { version: 1 });
  const combiner = connect({
    address: assignment.address,
    identity: membership.identity,
    trust: membership.trust,
    expect: { role: "combiner" },
    ...ports,
  });
  const digest = digestOf(update.body);
  const listeners: ((task: Task) => void)[] = [];
  const stream = combiner.bidi("Tasks.Attend");
  await stream.write({ hello: { version: 1, assignmentEpoch: assignment.epoch } });
  const failed = serve();
  failed.catch(() => {});

  async function serve(): Promise<never> {
    for (;;) {
      const task = await stream.read();
      if (task === undefined) throw new Error("the combiner ended the stream");
      for (const listener of listeners) listener(task);
      if (task.kind === "train") await answer(membership, combiner, task.train, update, digest);
    }
  }

  return {
    onTask: (listener) => listeners.push(listener),
    failed,
    close: () => {
      combiner.close();
      membership.close();
    },
  };
}

async function answer(
  { member, federationId, key }: Membership,
  combiner: Connection,
  task: fedclave.v1.TrainTask.$Properties,
  { body, exampleCount }: SharedUpdate,
  digest: Digest,
): Promise<void> {
  const header = {
    federationId,
    key: needRoundKey(task.roundKey),
    member,
    baseModelHash: needDigest(task.baseModelHash),
    updateDigest: digest,
    sizeBytes: body.byteLength,
    exampleCount,
  };
  const update = signUpdateHeader(header, key);
  await sendUpload(combiner, { update }, body, digest);
}
