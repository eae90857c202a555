import { randomBytes } from "node:crypto";

/** Port: where unpredictable bytes come from. Tests give a counter. */
export type Randomness = {
  /** @returns exactly `sizeBytes` fresh bytes */
  readonly bytes: (sizeBytes: number) => Uint8Array;
};

/** The operating system's generator (RDRAND-backed inside an enclave). */
export const systemRandomness: Randomness = {
  bytes: (sizeBytes) => new Uint8Array(randomBytes(sizeBytes)),
};
