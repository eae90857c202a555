/** Memory for update bodies on their way: reserved at the grant only, bounded over all, first come first served. */

/** Counts the memory of updates on their way, so that their number cannot exceed it. */
export class StagingBudget {
  readonly #totalBytes: number;
  #reservedBytes = 0;
  readonly #waiting = new Set<{ readonly sizeBytes: number; readonly grant: () => void }>();

  /** @param totalBytes  of all reservations together */
  constructor(totalBytes: number) {
    this.#totalBytes = totalBytes;
  }

  get reservedBytes(): number {
    return this.#reservedBytes;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /**
   * Waits for its turn and for room.
   * @param sizeBytes  at most the total
   * @returns how to give it back; harmless when called again
   * @throws the signal's reason
   */
  async reserve(sizeBytes: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#waiting.size > 0 || !this.#fits(sizeBytes)) {
      await this.#turn(sizeBytes, signal);
    } else {
      this.#reservedBytes += sizeBytes;
    }
    let held = true;
    return () => {
      if (held) this.#release(sizeBytes);
      held = false;
    };
  }

  #turn(sizeBytes: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const entry = {
        sizeBytes,
        grant: () => {
          signal.removeEventListener("abort", leave);
          this.#reservedBytes += sizeBytes;
          resolve();
        },
      };
      const leave = () => {
        this.#waiting.delete(entry);
        reject(signal.reason);
        this.#grantNext();
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.add(entry);
    });
  }

  #fits(sizeBytes: number): boolean {
    return this.#reservedBytes + sizeBytes <= this.#totalBytes;
  }

  #release(sizeBytes: number): void {
    this.#reservedBytes -= sizeBytes;
    this.#grantNext();
  }

  #grantNext(): void {
    for (const entry of this.#waiting) {
      if (!this.#fits(entry.sizeBytes)) return;
      this.#waiting.delete(entry);
      entry.grant();
    }
  }
}
