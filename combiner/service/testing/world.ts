/** A combiner in this process between a fake reducer and clients on real connections, in virtual time. */
import { type Digest, digestBytes, type Name, newSessionId } from "../../../lib/base/ids.ts";
import { generateSigningKey, type SigningKey } from "../../../lib/base/keys.ts";
import { silentLog } from "../../../lib/base/log.ts";
import { systemRandomness } from "../../../lib/base/randomness.ts";
import type { RoundKey } from "../../../lib/base/round-key.ts";
import { signHeaderBytes } from "../../../lib/federation/update-header.ts";
import type { ClientStream, Connection } from "../../../lib/transport/connect.ts";
import type { Membership } from "../../../lib/transport/membership.ts";
import type { ReceivedResponseOf, SentRequestOf } from "../../../lib/transport/rpcs.ts";
import { sendUpload } from "../../../lib/transport/send-upload.ts";
import {
  type TestFederation,
  testFederation,
} from "../../../lib/transport/testing/test-federation.ts";
import type { TlsIdentity } from "../../../lib/transport/tls-identity.ts";
import { fedclave } from "../../../proto/generated/fedclave.js";
import { type RunningCombiner, startCombiner } from "../combiner.ts";
import { FakeReducer, openRoundOrder } from "./fake-reducer.ts";
import { modelBytes, type TestUpdate } from "./model.ts";

export const name = (text: string): Name => text as Name;
export const SESSION_ID = newSessionId({ bytes: (size) => new Uint8Array(size).fill(5) });
export const KEY: RoundKey = { sessionId: SESSION_ID, round: 1, attempt: 1 };

type Task = ReceivedResponseOf<"Tasks.Attend">;
type HeaderFields = fedclave.v1.UpdateHeader.$Properties;

/** Turns of the event loop until something holds; the test's own timeout ends a wait in vain. */
export async function until(
  holds: () => boolean,
  between: () => unknown = () => {},
): Promise<void> {
  while (!holds()) {
    await between();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export class World {
  readonly federation: TestFederation;
  readonly reducer: FakeReducer;
  readonly combiner: RunningCombiner;
  readonly modelBytes: Uint8Array;
  readonly modelHash: Digest;
  readonly port: number;

  private constructor(
    federation: TestFederation,
    reducer: FakeReducer,
    combiner: RunningCombiner,
    model: Uint8Array,
  ) {
    this.federation = federation;
    this.reducer = reducer;
    this.combiner = combiner;
    this.modelBytes = model;
    this.modelHash = reducer.addModel(model);
    this.port = Number(String(combiner.ready.address).split(":").at(-1));
  }

  static async start(
    options: { maxClients?: number; stagingBudgetBytes?: number } = {},
  ): Promise<World> {
    const federation = testFederation();
    const reducer = await FakeReducer.start(federation);
    const combiner = await startCombiner({
      membership: membershipOf(federation, reducer, "combiner-1"),
      config: {
        host: "127.0.0.1",
        port: 0,
        advertise: undefined,
        maxClients: 100,
        stagingBudgetBytes: 2 ** 24,
        ...options,
      },
      clock: federation.clock,
      randomness: systemRandomness,
      log: silentLog,
    });
    const world = new World(federation, reducer, combiner, modelBytes(1));
    await until(() => reducer.messagesOf("hello").length > 0);
    return world;
  }

  get state() {
    return this.combiner.engine.state();
  }

  /** Opens a round of these members and waits until its model is here. */
  async openRound(members: readonly string[], leaseEpoch = 1, key = KEY): Promise<void> {
    const order = openRoundOrder({
      key,
      members: members.map(name),
      baseModelHash: this.modelHash,
      modelSizeBytes: this.modelBytes.byteLength,
      leaseEpoch,
    });
    this.reducer.standing = [order];
    this.reducer.order(order);
    await until(
      () =>
        this.state.rounds.get(key.sessionId)?.leaseEpoch === leaseEpoch &&
        this.state.models.get(this.modelHash)?.status === "ready",
      () => this.federation.clock.advance(1000),
    );
  }

  client(member: string, key = generateSigningKey()): TestClient {
    return new TestClient(this, name(member), key);
  }

  async closeRound(leaseEpoch = 1, key = KEY): Promise<Uint8Array> {
    const before = this.reducer.partials.length;
    this.reducer.order({ kind: "closeRound", closeRound: { roundKey: key, leaseEpoch } });
    await until(
      () => this.reducer.partials.length > before,
      () => this.federation.clock.advance(1000),
    );
    return this.reducer.partials.at(-1)!;
  }

  folded(key = KEY): readonly Name[] {
    return [...(this.state.rounds.get(key.sessionId)?.folded.keys() ?? [])].sort();
  }

  async stop(): Promise<void> {
    const stopped = this.combiner.stop();
    let done = false;
    void stopped.then(() => {
      done = true;
    });
    await until(
      () => done,
      () => this.federation.clock.advance(500),
    );
    await this.federation.close();
  }
}

export class TestClient {
  readonly member: Name;
  readonly key: SigningKey;
  readonly identity: TlsIdentity;
  readonly tasks: Task[] = [];
  readonly world: World;
  connection: Connection;
  stream:
    | ClientStream<ReceivedResponseOf<"Tasks.Attend">, SentRequestOf<"Tasks.Attend">>
    | undefined;
  /** How the Attend stream ended; undefined while it has not. */
  ended: unknown;

  constructor(world: World, member: Name, key: SigningKey) {
    this.world = world;
    this.member = member;
    this.key = key;
    this.identity = world.federation.identity("client", member, { key });
    this.connection = this.connect();
  }

  connect(): Connection {
    return this.world.federation.connect({ port: this.world.port }, this.identity);
  }

  /** Opens the Attend stream and waits for Welcome. */
  async attend(connection = this.connection): Promise<void> {
    const stream = connection.bidi("Tasks.Attend");
    this.stream = stream;
    this.ended = undefined;
    let welcomed = false;
    const read = async () => {
      for (;;) {
        const task = await stream.read();
        if (task === undefined) return "ended well";
        if (task.kind === "welcome") welcomed = true;
        this.tasks.push(task);
      }
    };
    read().then(
      (how) => {
        if (this.stream === stream) this.ended = how;
      },
      (error: unknown) => {
        if (this.stream === stream) this.ended = error;
      },
    );
    await stream.write({ kind: "hello", hello: { version: 1, assignmentEpoch: 1 } });
    await until(() => welcomed || this.ended !== undefined);
  }

  kinds(): readonly (string | undefined)[] {
    return this.tasks.map(({ kind }) => kind);
  }

  signed(update: TestUpdate, changes: HeaderFields = {}, key = KEY) {
    const header = fedclave.v1.UpdateHeader.encode({
      version: 1,
      federationId: this.world.federation.trust.federationId,
      roundKey: key,
      member: this.member,
      baseModelHash: digestBytes(this.world.modelHash),
      updateDigest: digestBytes(update.digest),
      sizeBytes: update.body.byteLength,
      exampleCount: update.exampleCount,
      ...changes,
    }).finish();
    const { signature } = signHeaderBytes(header, this.key);
    return { header, signature };
  }

  /** @throws RefusedError | TransportError */
  async upload(update: TestUpdate, changes: HeaderFields = {}, key = KEY): Promise<void> {
    const subject = { update: this.signed(update, changes, key) };
    await sendUpload(this.connection, subject, update.body, update.digest);
  }

  /** An upload by hand: the header is sent, the rest is the test's. */
  async beginUpload(
    update: TestUpdate,
    given: { readonly sizeBytes?: number; readonly connection?: Connection } = {},
  ) {
    const stream = (given.connection ?? this.connection).bidi("Transfer.Upload");
    await stream.write({
      kind: "header",
      header: {
        version: 1,
        sizeBytes: given.sizeBytes ?? update.body.byteLength,
        digest: digestBytes(update.digest),
        update: this.signed(update),
        subject: "update",
      },
    });
    return stream;
  }
}

function membershipOf(
  federation: TestFederation,
  reducer: FakeReducer,
  member: string,
): Membership {
  const key = generateSigningKey();
  const identity = federation.identity("combiner", member, { key });
  const connection = federation.connect(reducer.listener, identity, {
    expect: { role: "reducer" },
  });
  return {
    member: name(member),
    role: "combiner",
    federationId: federation.trust.federationId,
    trust: federation.trust,
    key,
    identity: () => identity,
    onRenewal: () => {},
    reducer: connection,
    close: () => connection.close(),
  };
}
