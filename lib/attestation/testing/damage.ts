/** Damaged copies of bytes, for parsers and verifiers that must notice. */

/** One copy and where it was damaged. The array is used again for the next: whoever keeps it copies it. */
export type Damaged = { readonly offset: number; readonly bytes: Uint8Array };

/** Every beginning of the bytes but the whole. */
export function* cuts(bytes: Uint8Array): Generator<Damaged> {
  for (let offset = 0; offset < bytes.byteLength; offset += 1) {
    yield { offset, bytes: bytes.subarray(0, offset) };
  }
}

/** For every byte one copy with one of its bits flipped; the seed chooses which. */
export function* flips(bytes: Uint8Array, seed: number): Generator<Damaged> {
  const copy = Uint8Array.from(bytes);
  let state = seed;
  for (const [offset, byte] of bytes.entries()) {
    // Numerical Recipes' generator; the low bits of such are weak.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    copy[offset] = byte ^ (1 << (state >>> 29));
    yield { offset, bytes: copy };
    copy[offset] = byte;
  }
}

/** For every byte 255 copies, with each other value it could have. */
export function* substitutions(bytes: Uint8Array): Generator<Damaged> {
  const copy = Uint8Array.from(bytes);
  for (const [offset, byte] of bytes.entries()) {
    for (let change = 1; change < 256; change += 1) {
      copy[offset] = byte ^ change;
      yield { offset, bytes: copy };
    }
    copy[offset] = byte;
  }
}
