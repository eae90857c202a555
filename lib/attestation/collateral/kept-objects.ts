/** Kept objects by key, as many as a limit: whoever names platforms must not fill the memory. */
import type { KeptObject, KeptStatus } from "./kept-object.ts";

/** One kind of kept objects. */
export type KeptObjects<Key, T> = {
  /** The key's object; made if there is none. */
  readonly of: (key: Key) => KeptObject<T>;
  readonly statuses: () => readonly KeptStatus[];
  /** Ends all timers. */
  readonly close: () => void;
};

/**
 * @param nameOf  one text for each key
 * @param make  called once for a key, as long as it is not pushed out
 * @param maxCount  ≥ 1; beyond it, an object that holds nothing goes first, then the one that was not asked for longest
 */
export function keptObjects<Key, T>(
  nameOf: (key: Key) => string,
  make: (key: Key) => KeptObject<T>,
  maxCount: number,
): KeptObjects<Key, T> {
  // In the order of the latest use.
  const objects = new Map<string, KeptObject<T>>();
  const makeRoom = (): void => {
    if (objects.size < maxCount) return;
    const entries = [...objects];
    const [name, object] = entries.find(([, each]) => !each.isHeld()) ?? entries[0] ?? [];
    object?.close();
    if (name !== undefined) objects.delete(name);
  };
  return {
    of: (key) => {
      const name = nameOf(key);
      let object = objects.get(name);
      if (object === undefined) {
        makeRoom();
        object = make(key);
      }
      objects.delete(name);
      objects.set(name, object);
      return object;
    },
    statuses: () => [...objects.values()].map((object) => object.status()),
    close: () => {
      for (const object of objects.values()) object.close();
    },
  };
}
