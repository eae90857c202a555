/** What happened, in order; a test waits for what it needs and skips what came before. */
export class Inbox<T> {
  readonly all: T[] = [];
  #next = 0;
  #wake = () => {};

  readonly put = (item: T): void => {
    this.all.push(item);
    this.#wake();
  };

  /** The first item after the last one taken that fits; the test's own timeout ends a vain wait. */
  async take<Fit extends T>(fits: (item: T) => item is Fit): Promise<Fit>;
  async take(fits: (item: T) => boolean): Promise<T>;
  async take(fits: (item: T) => boolean): Promise<T> {
    for (;;) {
      while (this.#next < this.all.length) {
        const item = this.all[this.#next] as T;
        this.#next += 1;
        if (fits(item)) return item;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
