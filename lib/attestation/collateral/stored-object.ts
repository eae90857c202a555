/** A kept object that survives a restart in a file of its own, which is a bundle like any other. */

import type { Clock } from "../../base/clock.ts";
import type { UnixMs } from "../../base/ids.ts";
import { describeError, type Log } from "../../base/log.ts";
import type { Randomness } from "../../base/randomness.ts";
import type { Refusal } from "../../base/refusal.ts";
import type { CollateralBundle } from "./bundle.ts";
import { MAX_BUNDLE_BYTES, parseBundle, writeBundle } from "./bundle-file.ts";
import type { CacheFolder } from "./cache-folder.ts";
import { CollateralError } from "./collateral-error.ts";
import { type Kept, type KeptObject, keptObject } from "./kept-object.ts";
import { refusedEndorsements } from "./refused-endorsements.ts";

/** What all objects of a cache share. */
export type CachePorts = {
  /** In memory only if unset. */
  readonly folder?: CacheFolder;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
};

/** How one kind of object is got, checked and written down. @typeParam Raw as a source gives it */
export type ObjectKind<Raw, T> = {
  /** "collateral of SGX platform 00906ed50000 (processor CA)". */
  readonly what: string;
  readonly file: string;
  readonly renews: boolean;
  /** @throws CollateralError */
  readonly ask: () => Promise<Raw>;
  /** Verifies it for that time. @throws CollateralError */
  readonly admit: (raw: Raw, atMs: UnixMs) => Kept<T> | Promise<Kept<T>>;
  /** Its last moment, unverified; undefined if it cannot be told. */
  readonly endOf: (raw: Raw) => UnixMs | undefined;
  /** In what it is older than what was seen; remembers it if it is not. */
  readonly pass: (value: T) => Promise<readonly Refusal[]>;
  readonly toBundle: (raw: Raw) => CollateralBundle;
  /** Undefined if the bundle holds another one. */
  readonly fromBundle: (bundle: CollateralBundle) => Raw | undefined;
};

/** The object; its file is read before it is first asked for, and what is damaged there is reported and fetched anew. */
export function storedObject<Raw, T>(kind: ObjectKind<Raw, T>, ports: CachePorts): KeptObject<T> {
  const { what, renews } = kind;
  const { folder, clock, randomness, log } = ports;
  const kept = keptObject<T>({
    what,
    renews,
    clock,
    randomness,
    log,
    fetch: async () => {
      const raw = await kind.ask();
      const fresh = await admitPassing(kind, raw, clock.untrustedNowMs());
      await folder?.write(kind.file, writeBundle(kind.toBundle(raw))).catch((error: unknown) => {
        log.error("collateral.not-kept", {
          what,
          file: folder.path(kind.file),
          error: describeError(error),
        });
      });
      return fresh;
    },
  });
  let loading: Promise<void> | undefined;
  return {
    ...kept,
    get: async () => {
      loading ??= load(kind, ports, kept.restore);
      await loading;
      return kept.get();
    },
  };
}

async function admitPassing<Raw, T>(
  kind: ObjectKind<Raw, T>,
  raw: Raw,
  atMs: UnixMs,
): Promise<Kept<T>> {
  const admitted = await kind.admit(raw, atMs);
  const refusals = await kind.pass(admitted.value);
  if (refusals.length > 0) throw refusedEndorsements(kind.what, refusals);
  return admitted;
}

async function load<Raw, T>(
  kind: ObjectKind<Raw, T>,
  { folder, clock, log }: CachePorts,
  restore: (kept: Kept<T>) => void,
): Promise<void> {
  if (folder === undefined) return;
  try {
    const bytes = await folder.read(kind.file, MAX_BUNDLE_BYTES);
    if (bytes === undefined) return;
    const raw = kind.fromBundle(parseBundle(bytes));
    if (raw === undefined) throw new CollateralError("not-in-bundle", "it holds something else");
    // What has ended is taken as of its last moment: it is not given out, but a refusal can name its date.
    const nowMs = clock.untrustedNowMs();
    const atMs = Math.min(nowMs, kind.endOf(raw) ?? nowMs) as UnixMs;
    restore(await admitPassing(kind, raw, atMs));
  } catch (error) {
    log.error("collateral.file-not-used", {
      what: kind.what,
      file: folder.path(kind.file),
      error: describeError(error),
    });
  }
}
