/** The combiner, put together: core, streams to clients and reducer, uploads, sums, models, partials. */
import type { Clock } from "../../lib/base/clock.ts";
import type { Log } from "../../lib/base/log.ts";
import type { Randomness } from "../../lib/base/randomness.ts";
import { assertInvariant } from "../../lib/base/refusal.ts";
import type { RunningRole } from "../../lib/base/role-process.ts";
import { formatAddress } from "../../lib/transport/address.ts";
import { GrantQueue } from "../../lib/transport/grants.ts";
import { type Handlers, listen } from "../../lib/transport/listen.ts";
import type { Membership } from "../../lib/transport/membership.ts";
import type { MemberPeer, Peer } from "../../lib/transport/peer.ts";
import { type CombinerSettings, type Effect, initialState } from "../core/state.ts";
import type { CombinerConfig } from "./config.ts";
import { type Engine, startEngine } from "./engine.ts";
import { models } from "./models.ts";
import { partials } from "./partials.ts";
import { reducerLink } from "./reducer-link.ts";
import { StagingBudget } from "./staging.ts";
import { STATUSES } from "./statuses.ts";
import { roundSums } from "./sums.ts";
import { taskStreams } from "./task-streams.ts";
import { uploads } from "./uploads.ts";

/** How long calls may go on after the combiner was asked to stop. */
const STOP_GRACE_MS = 1_000;
const INSTANCE_ID_BYTES = 16;

export type CombinerParts = {
  readonly membership: Membership;
  readonly config: Pick<
    CombinerConfig,
    "host" | "port" | "advertise" | "maxClients" | "stagingBudgetBytes"
  >;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
};

export type RunningCombiner = RunningRole & {
  /** What a test or an operator may look at. */
  readonly engine: Engine;
  readonly grants: GrantQueue;
  readonly staging: StagingBudget;
};

/**
 * Serves clients of a member that has joined, and attaches to the reducer as soon as it listens.
 * @throws TransportError "cannot-listen"
 */
export async function startCombiner(parts: CombinerParts): Promise<RunningCombiner> {
  const { membership, config, clock, randomness, log } = parts;
  const { reducer } = membership;
  const settings: CombinerSettings = {
    federationId: membership.federationId,
    combiner: membership.member,
    maxClients: config.maxClients,
    stagingBudgetBytes: config.stagingBudgetBytes,
  };
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {});

  const engine: Engine = startEngine({
    state: initialState(settings, clock.untrustedNowMs()),
    clock,
    perform,
    onFatal: fail,
  });
  const shared = { engine: () => engine, reducer, clock, randomness, log, onFatal: fail };
  const grants = new GrantQueue();
  const staging = new StagingBudget(config.stagingBudgetBytes);
  const sums = roundSums();
  const held = models(shared);
  const deliveries = partials({ ...shared, settings, sums });
  const link = reducerLink(shared);
  const clients = taskStreams(shared);
  const received = uploads({
    ...shared,
    grants,
    staging,
    layoutOf: (terms) => held.layoutOf(terms.baseModelHash),
  });

  function perform(effect: Effect): void {
    switch (effect.kind) {
      case "send-task":
        return clients.send(effect.streams, effect.task);
      case "end-stream":
        return clients.end(effect.stream, effect.reasons);
      case "send-reducer":
        return link.send(effect.message);
      case "fold": {
        const { key, terms, exampleCount } = effect;
        const layout = held.layoutOf(terms.baseModelHash);
        const { gridExponent } = terms.limits;
        return received.fold(effect.uploadId, (body) =>
          sums.fold(key, { layout, gridExponent }, { body, exampleCount }),
        );
      }
      case "refuse-upload":
        return received.refuse(effect.uploadId, effect.refusals);
      case "drop-sum":
        return sums.drop(effect.key);
      case "send-partial":
        return deliveries.send(effect.plan);
      case "stop-partial":
        return deliveries.stop(effect.key);
      case "fetch-model":
        return held.fetch(effect.modelHash, effect.sizeBytes);
      case "drop-model":
        return held.drop(effect.modelHash);
    }
  }

  const handlers: Handlers = {
    "Tasks.Attend": {
      callers: ["client"],
      handle: (stream, peer) => clients.serve(stream, member(peer)),
    },
    "Transfer.Upload": {
      callers: ["client"],
      handle: (stream, peer) => received.serve(stream, member(peer)),
    },
    "Transfer.Download": {
      callers: ["client"],
      handle: (request, _, stream) => held.serve(request, stream),
    },
  };
  const listener = await listen({
    host: config.host,
    port: config.port,
    identity: membership.identity(),
    trust: membership.trust,
    admitsJoining: false,
    handlers,
    statuses: STATUSES,
    clock,
    log,
  });
  membership.onRenewal(listener.rotate);
  const address = config.advertise ?? formatAddress(listener);
  const instanceId = randomness.bytes(INSTANCE_ID_BYTES);
  link.start({ address, instanceId, maxClients: config.maxClients });

  async function stop(): Promise<void> {
    engine.submit({ kind: "stopping" });
    await clients.closeAll();
    await listener.close(STOP_GRACE_MS);
    link.close();
    deliveries.close();
    held.close();
    engine.stop();
    membership.close();
  }

  return { ready: { address }, stop, failed, engine, grants, staging };
}

function member(peer: Peer): MemberPeer {
  assertInvariant(peer.kind === "member", "a combiner serves nobody who is joining");
  return peer;
}
