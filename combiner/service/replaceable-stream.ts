import type { UploadStream } from "../../lib/transport/serve-upload.ts";

/**
 * An upload's stream whose writes never wait, and that can be taken over: after `replace` its reads and writes throw that reason, and its signal is aborted
 * with it. Whoever serves it then ends the call.
 */
export function replaceableStream(stream: UploadStream): {
  readonly stream: UploadStream;
  readonly replace: (reason: Error) => void;
} {
  const replacing = new AbortController();
  const signal = AbortSignal.any([stream.signal, replacing.signal]);
  const replaced = new Promise<never>((_, reject) => {
    replacing.signal.addEventListener("abort", () => reject(replacing.signal.reason), {
      once: true,
    });
  });
  // Not every stream is replaced while somebody reads it.
  replaced.catch(() => {});
  return {
    stream: {
      read: () => Promise.race([stream.read(), replaced]),
      write: async (message) => {
        replacing.signal.throwIfAborted();
        // Three messages at most go out on an upload, so none needs to wait for room: a peer that takes no byte
        // would keep its grant for ever, out of reach of the clock that it has to send against.
        stream.write(message).catch(() => {});
      },
      signal,
    },
    replace: (reason) => replacing.abort(reason),
  };
}
