/** What admins ask and order: sessions, models, packages, members. */
import type { Clock } from "../../lib/base/clock.ts";
import { newSessionId, parseSessionId, type SessionId } from "../../lib/base/ids.ts";
import type { Log } from "../../lib/base/log.ts";
import type { Randomness } from "../../lib/base/randomness.ts";
import { printable, RefusedError, refusal } from "../../lib/base/refusal.ts";
import type { ArtifactStore } from "../../lib/storage/artifacts.ts";
import type { RequestOf, ResponseOf } from "../../lib/transport/rpcs.ts";
import type { MessageWriter } from "../../lib/transport/stream.ts";
import { needDigest, needName } from "../../lib/transport/wire-fields.ts";
import type { Coordinator } from "../core/draft.ts";
import { attendance } from "../core/live.ts";
import { appraiseSettings } from "../core/settings.ts";
import { memberKey, modelTrail, type RoundRecord, type SessionRecord } from "../core/state.ts";
import type { Engine } from "./engine.ts";
import type { ModelShelf } from "./model-shelf.ts";
import { appraiseFit } from "./session-fit.ts";
import {
  memberMessage,
  modelMessage,
  packageMessage,
  sessionMessage,
  WIRE_ROLES,
} from "./session-wire.ts";
import { parseSettings } from "./settings-wire.ts";

export type AdminParts = {
  readonly engine: Engine;
  readonly models: ModelShelf;
  readonly artifacts: ArtifactStore;
  readonly randomness: Randomness;
  readonly clock: Clock;
  readonly log: Log;
};

/** Sessions that may run at one time: each holds sums in the combiners and a model in the reducer. */
const MAX_RUNNING_SESSIONS = 8;
/** How often a watcher is told at most; what changes in between arrives as one. */
const WATCH_INTERVAL_MS = 100;

/** Entries of one answer: the largest are about 700 bytes, so a message stays within its limit. */
export const PAGE_ENTRIES = 1000;

type PageMessage = { readonly offset?: number | null } | null | undefined;

const pageOf = <T>(all: readonly T[], page: PageMessage): readonly T[] => {
  const offset = page?.offset ?? 0;
  return all.slice(offset, offset + PAGE_ENTRIES);
};

/** Handlers of Sessions, Models, Packages and Members. @throws RefusedError for what is unknown or malformed */
export function adminServices(parts: AdminParts) {
  const { engine } = parts;

  const find = (coordinator: Coordinator, text: string): SessionRecord => {
    const sessionId = parseSessionId(text);
    const session = sessionId === undefined ? undefined : coordinator.state.sessions.get(sessionId);
    if (session !== undefined) return session;
    throw new RefusedError(refusal("unknown-session", text, "an id from `fedclave session list`"));
  };

  const show = (text: string, page?: PageMessage): ResponseOf<"Sessions.Show"> => {
    const coordinator = engine.coordinator();
    const session = find(coordinator, text);
    return sessionMessage(coordinator, session, pageOf(session.rounds, page));
  };

  return {
    startSession: (request: RequestOf<"Sessions.Start">) => startSession(parts, request),

    listSessions: async (
      request: RequestOf<"Sessions.List">,
    ): Promise<ResponseOf<"Sessions.List">> => {
      const coordinator = engine.coordinator();
      const all = [...coordinator.state.sessions.values()];
      const sessions = pageOf(all, request.page);
      return {
        sessions: sessions.map((each) => sessionMessage(coordinator, each, [])),
        totalCount: all.length,
      };
    },

    showSession: async (request: RequestOf<"Sessions.Show">) =>
      show(request.sessionId, request.page),

    stopSession: async (
      request: RequestOf<"Sessions.Stop">,
    ): Promise<ResponseOf<"Sessions.Stop">> => {
      const reason = refusal(
        "stopped-by-admin",
        printable(request.because),
        "a session that goes on",
      );
      await engine.decide((coordinator) => {
        const session = find(coordinator, request.sessionId);
        if (session.status !== "running") {
          throw new RefusedError(refusal("session-ended", session.status, "a running session"));
        }
        const { sessionId } = session;
        return { input: { kind: "stop-session", sessionId, reason }, result: undefined };
      });
      return show(request.sessionId);
    },

    watchSession: (
      request: RequestOf<"Sessions.Watch">,
      stream: MessageWriter<ResponseOf<"Sessions.Watch">>,
    ) => watch(parts, () => find(engine.coordinator(), request.sessionId), stream),

    listModels: async (request: RequestOf<"Models.List">): Promise<ResponseOf<"Models.List">> => {
      const all = [...engine.coordinator().state.models.values()];
      return { models: pageOf(all, request.page).map(modelMessage), totalCount: all.length };
    },

    modelTrail: async (request: RequestOf<"Models.Trail">): Promise<ResponseOf<"Models.Trail">> => {
      const hash = needDigest(request.modelHash);
      const trail = modelTrail(engine.coordinator().state, hash);
      if (trail.length === 0) {
        throw new RefusedError(refusal("unknown-model", hash, "a hash from `fedclave model list`"));
      }
      return { models: pageOf(trail, request.page).map(modelMessage), totalCount: trail.length };
    },

    listPackages: async (
      request: RequestOf<"Packages.List">,
    ): Promise<ResponseOf<"Packages.List">> => {
      const all = [...engine.coordinator().state.packages.values()];
      return { packages: pageOf(all, request.page).map(packageMessage), totalCount: all.length };
    },

    listMembers: async (
      request: RequestOf<"Members.List">,
    ): Promise<ResponseOf<"Members.List">> => {
      const coordinator = engine.coordinator();
      const all = [...coordinator.state.members.values()];
      const places = attendance(coordinator.live);
      const members = pageOf(all, request.page);
      return {
        members: members.map((member) => memberMessage(coordinator, member, places)),
        totalCount: all.length,
      };
    },

    showMember: async (request: RequestOf<"Members.Show">): Promise<ResponseOf<"Members.Show">> => {
      const coordinator = engine.coordinator();
      const role = (["client", "combiner", "admin"] as const).find(
        (each) => WIRE_ROLES[each] === request.role,
      );
      const name = needName(request.member);
      const member = role && coordinator.state.members.get(memberKey(role, name));
      if (member !== undefined) {
        return memberMessage(coordinator, member, attendance(coordinator.live));
      }
      throw new RefusedError(refusal("unknown-member", name, "a name from `fedclave member list`"));
    },
  };
}

async function startSession(
  parts: AdminParts,
  request: RequestOf<"Sessions.Start">,
): Promise<ResponseOf<"Sessions.Start">> {
  const { engine, randomness, clock, log } = parts;
  const settings = parseSettings(request.settings);
  const appraised = appraiseSettings(settings);
  if ("refusals" in appraised) throw new RefusedError(...appraised.refusals);
  const unfit = await appraiseFit(parts, engine.coordinator().state, settings);
  if (unfit.length > 0) throw new RefusedError(...unfit);
  const sessionId = newSessionId(randomness);
  await engine.decide((coordinator) => {
    refuseTooMany(coordinator);
    const { grid } = appraised;
    const atMs = clock.untrustedNowMs();
    const event = { kind: "session-started", sessionId, settings, grid, atMs } as const;
    return { input: { kind: "record", event }, result: undefined };
  });
  log.info("session.started", { sessionId, rounds: settings.rounds });
  return sessionMessage(engine.coordinator(), mustFind(engine, sessionId), []);
}

function refuseTooMany({ state }: Coordinator): void {
  const running = [...state.sessions.values()].filter(({ status }) => status === "running").length;
  if (running < MAX_RUNNING_SESSIONS) return;
  throw new RefusedError(
    refusal("too-many-sessions", running, `fewer than ${MAX_RUNNING_SESSIONS} running`),
  );
}

const mustFind = (engine: Engine, sessionId: SessionId): SessionRecord => {
  const session = engine.coordinator().state.sessions.get(sessionId);
  if (session === undefined)
    throw new RefusedError(refusal("unknown-session", sessionId, "a session"));
  return session;
};

/** The newest rounds, then after each change those that changed, until it ends or the watcher leaves. */
async function watch(
  { engine, clock }: AdminParts,
  current: () => SessionRecord,
  stream: MessageWriter<ResponseOf<"Sessions.Watch">>,
): Promise<void> {
  let shown: ReadonlySet<RoundRecord> = new Set();
  let changed = true;
  let wake = () => {};
  const stopListening = engine.onChange(() => {
    changed = true;
    wake();
  });
  const left = () => wake();
  stream.signal.addEventListener("abort", left);
  try {
    for (;;) {
      const session = current();
      changed = false;
      const news = session.rounds.filter((each) => each.status === "open" || !shown.has(each));
      const newest = news.slice(-PAGE_ENTRIES);
      const message = sessionMessage(engine.coordinator(), session, newest);
      // What did not fit into this message goes into the next one.
      const leftOut = new Set(newest.slice(message.rounds?.length ?? 0));
      shown = new Set(session.rounds.filter((each) => !leftOut.has(each)));
      await stream.write(message);
      if (stream.signal.aborted) return;
      if (leftOut.size > 0) continue;
      if (session.status !== "running") return;
      await pause(clock, WATCH_INTERVAL_MS);
      while (!changed && !stream.signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (stream.signal.aborted) return;
    }
  } finally {
    stopListening();
    stream.signal.removeEventListener("abort", left);
  }
}

const pause = (clock: Clock, delayMs: number): Promise<void> =>
  new Promise((resolve) => clock.after(delayMs, resolve));
