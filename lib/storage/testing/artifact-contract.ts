/** What every ArtifactStore adapter must do. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../base/bytes.ts";
import { type Digest, digestOf } from "../../base/ids.ts";
import { MIB } from "../../base/limits.ts";
import { type ArtifactReader, type ArtifactStore, readAll, readPieces } from "../artifacts.ts";
import { collect, patternBytes } from "./storage-fixture.ts";

export type ArtifactMedium = {
  readonly openStore: () => Promise<ArtifactStore>;
  readonly dispose: () => Promise<void>;
};

const absent = "0".repeat(64) as Digest;

async function* inPieces(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  // One buffer for all pieces: a store that keeps what it is given shows it here.
  const shared = new Uint8Array(pieceBytes);
  for (let at = 0; at < bytes.byteLength; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes);
    shared.set(piece);
    yield shared.subarray(0, piece.byteLength);
  }
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

async function mustOpen(store: ArtifactStore, digest: Digest): Promise<ArtifactReader> {
  const reader = await store.open("model", digest);
  if (reader === undefined) throw new Error(`artifact ${digest} is not there`);
  return reader;
}

async function contentOf(store: ArtifactStore, digest: Digest): Promise<Uint8Array> {
  const reader = await mustOpen(store, digest);
  try {
    return await readAll(reader);
  } finally {
    await reader.close();
  }
}

export function artifactContract(adapter: string, newMedium: () => Promise<ArtifactMedium>): void {
  const withStore = (use: (store: ArtifactStore) => Promise<void>) => async () => {
    const medium = await newMedium();
    try {
      await use(await medium.openStore());
    } finally {
      await medium.dispose();
    }
  };

  describe(`artifacts in ${adapter}`, () => {
    it.each(["bytes", "pieces"])(
      "refuses %s that are not what was expected, and keeps nothing",
      async (form) => {
        await withStore(async (store) => {
          const bytes = utf8("a model");
          const source = form === "bytes" ? bytes : inPieces(bytes, 3);
          const put = store.put("model", source, absent);
          await expect(put).rejects.toMatchObject({ code: "digest-mismatch" });
          expect(await store.has("model", digestOf(bytes))).toBe(false);
          expect(await store.has("model", absent)).toBe(false);
        })();
      },
    );

    it(
      "keeps nothing of a source that fails, and passes its error on",
      withStore(async (store) => {
        const failure = new Error("the peer went away");
        async function* source() {
          yield patternBytes(MIB + 5);
          throw failure;
        }
        await expect(store.put("model", source())).rejects.toBe(failure);
        const part = digestOf(patternBytes(MIB + 5));
        expect(await store.has("model", part)).toBe(false);
      }),
    );

    it(
      "finds only what was put, under its own kind",
      withStore(async (store) => {
        const { digest } = await store.put("model", utf8("a model"));
        expect(await store.has("model", digest)).toBe(true);
        expect(await store.has("snapshot", digest)).toBe(false);
        expect(await store.open("snapshot", digest)).toBeUndefined();
        expect(await store.open("model", absent)).toBeUndefined();
        expect(await store.delete("snapshot", digest)).toBe(false);
        expect(await store.has("model", digest)).toBe(true);
      }),
    );

    it.each([0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, 2 * MIB + 77])(
      "gives back %d bytes, put whole and put in pieces",
      async (sizeBytes) => {
        await withStore(async (store) => {
          const bytes = patternBytes(sizeBytes, sizeBytes);
          const stored = await store.put("model", bytes, digestOf(bytes));
          expect(stored).toEqual({ digest: digestOf(bytes), sizeBytes });
          expect(isSame(await contentOf(store, stored.digest), bytes)).toBe(true);
          await store.delete("model", stored.digest);
          expect(await store.put("model", inPieces(bytes, 300_001))).toEqual(stored);
          expect(isSame(await contentOf(store, stored.digest), bytes)).toBe(true);
        })();
      },
    );

    it(
      "may be given the same artifact again, by several at once",
      withStore(async (store) => {
        const bytes = patternBytes(MIB + 9);
        const puts = [bytes, inPieces(bytes, 65_536), bytes, inPieces(bytes, 1_000)];
        const stored = await Promise.all(puts.map((source) => store.put("model", source)));
        expect(new Set(stored.map((each) => each.digest)).size).toBe(1);
        expect(isSame(await contentOf(store, digestOf(bytes)), bytes)).toBe(true);
      }),
    );

    it(
      "reads any range and refuses what lies outside",
      withStore(async (store) => {
        const bytes = patternBytes(2 * MIB + 100, 5);
        const { digest } = await store.put("model", bytes);
        const reader = await mustOpen(store, digest);
        await fc.assert(
          fc.asyncProperty(fc.nat(bytes.byteLength), fc.nat(bytes.byteLength), async (a, b) => {
            const [start, end] = a < b ? [a, b] : [b, a];
            const part = await reader.read(start, end - start);
            expect(isSame(part, bytes.subarray(start, end))).toBe(true);
          }),
          { numRuns: 30 },
        );
        const outside: [number, number][] = [
          [-1, 1],
          [0, -1],
          [0, bytes.byteLength + 1],
          [bytes.byteLength, 1],
          [0.5, 1],
          [0, Number.NaN],
        ];
        for (const [offset, length] of outside) {
          await expect(reader.read(offset, length)).rejects.toThrow(RangeError);
        }
        await reader.close();
        await reader.close();
      }),
    );

    it(
      "goes on reading in pieces from an offset",
      withStore(async (store) => {
        const bytes = patternBytes(MIB + 500, 6);
        const { digest } = await store.put("model", bytes);
        const reader = await mustOpen(store, digest);
        const pieces = await collect(readPieces(reader, 400, 300_000));
        expect(isSame(Buffer.concat(pieces), bytes.subarray(400))).toBe(true);
        expect(Math.max(...pieces.map((piece) => piece.byteLength))).toBe(300_000);
        await reader.close();
      }),
    );

    it(
      "deletes once, while open readers go on",
      withStore(async (store) => {
        const bytes = patternBytes(MIB + 1);
        const { digest } = await store.put("model", bytes);
        const reader = await mustOpen(store, digest);
        expect(await store.delete("model", digest)).toBe(true);
        expect(await store.delete("model", digest)).toBe(false);
        expect(await store.open("model", digest)).toBeUndefined();
        expect(isSame(await readAll(reader), bytes)).toBe(true);
        await reader.close();
      }),
    );

    it(
      "says that it is closed, and closes twice",
      withStore(async (store) => {
        await store.close();
        await store.close();
        const closed = { code: "closed" };
        await expect(store.put("model", utf8("x"))).rejects.toMatchObject(closed);
        await expect(store.open("model", absent)).rejects.toMatchObject(closed);
        await expect(store.has("model", absent)).rejects.toMatchObject(closed);
        await expect(store.delete("model", absent)).rejects.toMatchObject(closed);
      }),
    );
  });
}
