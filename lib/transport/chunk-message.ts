/** A chunk as it goes into a gRPC frame, without the copy that the codec would make first. */

/** Field 2, length-delimited: `chunk` of UploadRequest and of DownloadResponse. */
const CHUNK_TAG = 0x12;

/**
 * Stands in for the Buffer that grpc-js 1.14.7 expects of an encoder: of that it uses only the length and `copy`, so
 * the chunk's bytes go straight into the frame. A new grpc-js that wants more fails in every upload test.
 */
class ChunkMessage {
  readonly length: number;
  readonly byteLength: number;
  readonly #head: Buffer;
  readonly #chunk: Uint8Array;

  constructor(chunk: Uint8Array) {
    this.#head = Buffer.from([CHUNK_TAG, ...varint(chunk.byteLength)]);
    this.#chunk = chunk;
    this.length = this.#head.byteLength + chunk.byteLength;
    this.byteLength = this.length;
  }

  /** @param target  the frame @param offset  where the message starts in it */
  copy(target: Buffer, offset = 0): number {
    target.set(this.#head, offset);
    target.set(this.#chunk, offset + this.#head.byteLength);
    return this.length;
  }
}

/** The message that holds nothing but this chunk. It is read when the frame is made: do not change it before. */
export const chunkMessage = (chunk: Uint8Array): Buffer =>
  new ChunkMessage(chunk) as unknown as Buffer;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}
