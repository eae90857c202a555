/** A bounded queue between those who have something to send and the one loop that sends it. */
export class Outbox<T> {
  readonly #capacity: number;
  #items: T[] = [];
  #wake: (() => void) | undefined;
  #closed = false;

  /** @param capacity  items that may wait; a receiver that falls further behind is to be cut off */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Queues an item; false when it is full or closed and the item was not taken. */
  push(item: T): boolean {
    if (this.#closed || this.#items.length >= this.#capacity) return false;
    this.#items.push(item);
    this.#wakeUp();
    return true;
  }

  /** The next item as soon as there is one; undefined once closed and empty. One taker at a time. */
  async next(): Promise<T | undefined> {
    while (this.#items.length === 0) {
      if (this.#closed) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#items.shift();
  }

  /** Takes no more; what is queued is still given out. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#wakeUp();
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
