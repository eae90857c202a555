/** The reducer, put together: home, engine, listener. */

import type { Clock } from "../../lib/base/clock.ts";
import { digestBytes, type Name, parseName } from "../../lib/base/ids.ts";
import { generateSigningKey } from "../../lib/base/keys.ts";
import type { Log } from "../../lib/base/log.ts";
import { type Randomness, systemRandomness } from "../../lib/base/randomness.ts";
import { assertInvariant, RefusedError, refusal } from "../../lib/base/refusal.ts";
import type { RunningRole } from "../../lib/base/role-process.ts";
import { statementIssuers } from "../../lib/federation/manifest/statement-issuers.ts";
import type { Authority } from "../../lib/provisioning/authority.ts";
import { formatAddress } from "../../lib/transport/address.ts";
import { type Handlers, type Listener, listen } from "../../lib/transport/listen.ts";
import type { MemberPeer, Peer } from "../../lib/transport/peer.ts";
import type { TlsIdentity } from "../../lib/transport/tls-identity.ts";
import { needName } from "../../lib/transport/wire-fields.ts";
import { resume } from "../core/coordinator.ts";
import type { Effect } from "../core/draft.ts";
import { assign } from "../core/live.ts";
import { currentMember } from "../core/membership.ts";
import { adminServices } from "./admin-services.ts";
import { combinerLinks } from "./combiner-links.ts";
import type { ReducerConfig } from "./config.ts";
import { type Engine, startEngine } from "./engine.ts";
import { type FederationHome, openHome, publishDescriptor } from "./founding.ts";
import { merging } from "./merging.ts";
import { modelShelf } from "./model-shelf.ts";
import { join } from "./provisioning-service.ts";
import { STATUSES } from "./statuses.ts";
import { transferService } from "./transfer-service.ts";

/** How long calls may go on after the reducer was asked to stop. */
const STOP_GRACE_MS = 1_000;
/** The reducer's own certificate is renewed when this part of its life is over. */
const RENEWAL_POINT = 2 / 3;

type Ports = { readonly clock: Clock; readonly log: Log };

/** Opens the home, replays the ledger, and listens. @throws HomeError | StorageError when the home is not whole */
export async function startReducer(config: ReducerConfig, ports: Ports): Promise<RunningRole> {
  const { clock, log } = ports;
  const randomness = systemRandomness;
  const home = await openHome({ home: config.home, clock, randomness });
  const { federationId } = home.authority;
  log.info(home.founded ? "federation.founded" : "federation.resumed", { federationId });

  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {});
  const { engine, handlers } = assemble(home, randomness, ports, fail);

  const trust = { federationId, caCertificate: home.authority.caCertificate };
  const own = ownIdentity(home.authority, clock);
  const listener = await listen({
    host: config.host,
    port: config.port,
    identity: own.issue().identity,
    trust,
    admitsJoining: true,
    handlers,
    statuses: STATUSES,
    clock,
    log,
  });
  keepRenewing(own, listener, clock, log);
  const address = formatAddress(listener);
  const descriptor = await publishDescriptor(config.home, home, config.advertise ?? address);
  log.info("reducer.ready", { address, descriptor });
  return {
    ready: { address, federationId, descriptor },
    failed,
    stop: async () => {
      await listener.close(STOP_GRACE_MS);
      await engine.stop();
      await home.close();
    },
  };
}

function assemble(
  home: FederationHome,
  randomness: Randomness,
  { clock, log }: Ports,
  onFatal: (error: unknown) => void,
): { readonly engine: Engine; readonly handlers: Handlers } {
  const models = modelShelf(home.artifacts);
  const links = combinerLinks({ engine: () => engine, clock, log });
  const partials = merging({ engine: () => engine, models, log, onFatal });
  const engine: Engine = startEngine({
    coordinator: resume(home.state, clock.untrustedNowMs()),
    ledger: home.ledger,
    clock,
    log,
    onFatal,
    perform: (effects) => effects.forEach(perform),
  });

  function perform(effect: Effect): void {
    switch (effect.kind) {
      case "send":
        return links.send(engine.coordinator().state, effect.combiner, effect.order);
      case "merge":
        return partials.merge(effect);
      case "drop-partials":
        return partials.drop(effect.key);
    }
  }

  const { manifest, authority } = home;
  const { federationId } = authority;
  const rules = { federationId, epoch: manifest.epoch, issuers: statementIssuers(manifest) };
  const transfer = transferService({
    engine,
    models,
    artifacts: home.artifacts,
    partials,
    clock,
    log,
  });
  const { artifacts } = home;
  const admin = adminServices({ engine, models, artifacts, randomness, clock, log });
  /** A member whose organization gave its name a new key is refused on its old connections. */
  const current = (peer: Peer): MemberPeer => {
    assertInvariant(peer.kind === "member", "only Join is open to joining peers");
    if (currentMember(engine.coordinator().state, peer) !== undefined) return peer;
    throw new RefusedError(refusal("unknown-member", peer.member, "a member by its current key"));
  };
  const byAdmin = <Request, Response>(handle: (request: Request) => Promise<Response>) => ({
    callers: ["admin"] as const,
    handle: async (request: Request, peer: Peer) => {
      current(peer);
      return handle(request);
    },
  });
  const joinParts = { engine, authority, rules, clock, log };
  const handlers: Handlers = {
    "Provisioning.Join": {
      callers: ["joining", "client", "combiner", "admin"],
      handle: (request, peer) => join(joinParts, request, peer),
    },
    "Coordination.Attach": {
      callers: ["combiner"],
      handle: (stream, peer) => links.serve(stream, current(peer)),
    },
    "Assignments.Assign": {
      callers: ["client"],
      handle: (request, peer) => assignClient(engine, federationId, request, current(peer).member),
    },
    "Transfer.Upload": {
      callers: ["combiner", "admin"],
      handle: (stream, peer) => transfer.upload(stream, current(peer)),
    },
    "Transfer.Download": {
      callers: ["combiner", "client", "admin"],
      handle: (request, peer, stream) => transfer.download(request, current(peer), stream),
    },
    "Sessions.Start": byAdmin(admin.startSession),
    "Sessions.List": byAdmin(admin.listSessions),
    "Sessions.Show": byAdmin(admin.showSession),
    "Sessions.Stop": byAdmin(admin.stopSession),
    "Sessions.Watch": {
      callers: ["admin"],
      handle: (request, peer, stream) => {
        current(peer);
        return admin.watchSession(request, stream);
      },
    },
    "Models.List": byAdmin(admin.listModels),
    "Models.Trail": byAdmin(admin.modelTrail),
    "Packages.List": byAdmin(admin.listPackages),
    "Members.List": byAdmin(admin.listMembers),
    "Members.Show": byAdmin(admin.showMember),
  };
  return { engine, handlers };
}

type AssignRequest = { readonly version: number; readonly unreachableCombiner: string };

async function assignClient(
  engine: Engine,
  federationId: string,
  request: AssignRequest,
  member: Name,
) {
  if (request.version !== 1) throw new RefusedError(refusal("unknown-version", request.version, 1));
  const { unreachableCombiner: text } = request;
  const unreachable = text === "" ? undefined : needName(text);
  const result = await engine.decide((coordinator) => {
    const assigned = assign(coordinator.live, member, unreachable);
    if ("refusals" in assigned) throw new RefusedError(...assigned.refusals);
    const { assignment } = assigned;
    const combiner = coordinator.live.combiners.get(assignment.combiner)?.attached;
    assertInvariant(combiner !== undefined, "clients are assigned to attached combiners");
    return {
      input: { kind: "client-assigned", member, assignment },
      result: { assignment, combiner },
    };
  });
  const { assignment, combiner } = result;
  return {
    version: 1,
    federationId,
    member,
    combiner: assignment.combiner,
    address: combiner.address,
    combinerSpkiDigest: digestBytes(combiner.spkiDigest),
    epoch: assignment.epoch,
  };
}

/** The reducer's TLS key is new at each start; what members pin is the CA that certifies it. */
function ownIdentity(authority: Authority, clock: Clock) {
  const key = generateSigningKey();
  const member = parseName("reducer");
  assertInvariant(member !== undefined, "the reducer's name is a name");
  const { publicKeyDer, privateKey } = key;
  return {
    issue: () => {
      const untrustedNowMs = clock.untrustedNowMs();
      const issued = authority.issueCertificate({
        role: "reducer",
        member,
        publicKeyDer,
        untrustedNowMs,
      });
      const identity: TlsIdentity = { privateKey, certificateChain: issued.certificateChain };
      return { identity, notAfterMs: issued.notAfterMs };
    },
  };
}

function keepRenewing(
  own: ReturnType<typeof ownIdentity>,
  listener: Listener,
  clock: Clock,
  log: Log,
): void {
  const { identity, notAfterMs } = own.issue();
  listener.rotate(identity);
  clock.after((notAfterMs - clock.untrustedNowMs()) * RENEWAL_POINT, () => {
    log.info("certificate.renewed", { member: "reducer" });
    keepRenewing(own, listener, clock, log);
  });
}
