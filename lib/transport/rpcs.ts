/** Every rpc of fedclave.v1: its path, how its messages are read and written, and who may ever call it. */
import { fedclave } from "../../proto/generated/fedclave.js";
import { chunkMessage } from "./chunk-message.ts";
import type { Caller } from "./peer.ts";

const { v1 } = fedclave;

export type RpcKind = "unary" | "server-stream" | "bidi";

/** A generated message class, of which only the static codec is used. */
type MessageClass<Received, Sent> = {
  readonly encode: (message: Sent) => { readonly finish: () => Uint8Array };
  readonly decode: (bytes: Uint8Array) => Received;
};
type ReceivedOf<Class> = Class extends MessageClass<infer Received, never> ? Received : never;
type SentOf<Class> = Class extends { encode(message: infer Sent, ...rest: never): unknown }
  ? Sent
  : never;
type AnyMessage = MessageClass<unknown, never>;

export type Rpc<Kind extends RpcKind, Request, Response> = {
  readonly kind: Kind;
  readonly request: Request;
  readonly response: Response;
  /** The widest set; a listener names its own among them when it registers a handler. */
  readonly callers: readonly Caller[];
};

function rpc<Kind extends RpcKind, Request extends AnyMessage, Response extends AnyMessage>(
  kind: Kind,
  request: Request,
  response: Response,
  callers: readonly Caller[],
): Rpc<Kind, Request, Response> {
  return { kind, request, response, callers };
}

const MEMBERS: readonly Caller[] = ["client", "combiner", "admin"];
const ADMIN: readonly Caller[] = ["admin"];

/** Every rpc of fedclave.v1: how it streams, and who may call it. */
export const RPCS = {
  "Provisioning.Join": rpc("unary", v1.JoinRequest, v1.JoinResponse, ["joining", ...MEMBERS]),
  "Assignments.Assign": rpc("unary", v1.AssignRequest, v1.Assignment, ["client"]),
  "Coordination.Attach": rpc("bidi", v1.CombinerMessage, v1.ReducerOrder, ["combiner"]),
  "Tasks.Attend": rpc("bidi", v1.ClientMessage, v1.CombinerTask, ["client"]),
  "Transfer.Upload": rpc("bidi", v1.UploadRequest, v1.UploadResponse, MEMBERS),
  "Transfer.Download": rpc("server-stream", v1.DownloadRequest, v1.DownloadResponse, MEMBERS),
  "Members.List": rpc("unary", v1.ListMembersRequest, v1.ListMembersResponse, ADMIN),
  "Members.Show": rpc("unary", v1.ShowMemberRequest, v1.Member, ADMIN),
  "Models.List": rpc("unary", v1.ListModelsRequest, v1.ListModelsResponse, ADMIN),
  "Models.Trail": rpc("unary", v1.ModelTrailRequest, v1.ListModelsResponse, ADMIN),
  "Packages.List": rpc("unary", v1.ListPackagesRequest, v1.ListPackagesResponse, ADMIN),
  "Sessions.Start": rpc("unary", v1.StartSessionRequest, v1.Session, ADMIN),
  "Sessions.List": rpc("unary", v1.ListSessionsRequest, v1.ListSessionsResponse, ADMIN),
  "Sessions.Show": rpc("unary", v1.ShowSessionRequest, v1.Session, ADMIN),
  "Sessions.Watch": rpc("server-stream", v1.WatchSessionRequest, v1.Session, ADMIN),
  "Sessions.Stop": rpc("unary", v1.StopSessionRequest, v1.Session, ADMIN),
} as const;

type Rpcs = typeof RPCS;
export type RpcName = keyof Rpcs;
/** Names of all rpcs, "Service.Method". */
export const RPC_NAMES = Object.keys(RPCS) as readonly RpcName[];

/** Names of the rpcs of one kind. */
export type RpcNameOf<Kind extends RpcKind> = {
  [N in RpcName]: Rpcs[N]["kind"] extends Kind ? N : never;
}[RpcName];

/** What the serving end reads. */
export type RequestOf<N extends RpcName> = ReceivedOf<Rpcs[N]["request"]>;
/** What the serving end writes. */
export type ResponseOf<N extends RpcName> = SentOf<Rpcs[N]["response"]>;
/** What the calling end writes. */
export type SentRequestOf<N extends RpcName> = SentOf<Rpcs[N]["request"]>;
/** What the calling end reads. */
export type ReceivedResponseOf<N extends RpcName> = ReceivedOf<Rpcs[N]["response"]>;

/** HTTP/2 path: "/fedclave.v1.Transfer/Upload". */
export const rpcPath = (name: RpcName): string => `/fedclave.v1.${name.replace(".", "/")}`;

/** A message, or that the bytes were none; grpc-js would answer INTERNAL if decoding threw. */
export type Decoded<T> = { readonly message: T } | { readonly malformed: string };

export type Codec<Received, Sent> = {
  readonly encode: (message: Sent) => Buffer;
  readonly decode: (bytes: Uint8Array) => Decoded<Received>;
};

/** Codec of the serving end. */
export function serverCodec<N extends RpcName>(name: N): Codec<RequestOf<N>, ResponseOf<N>> {
  return codec(RPCS[name].request, RPCS[name].response, name === "Transfer.Download");
}

/** Codec of the calling end. */
export function clientCodec<N extends RpcName>(
  name: N,
): Codec<ReceivedResponseOf<N>, SentRequestOf<N>> {
  return codec(RPCS[name].response, RPCS[name].request, name === "Transfer.Upload");
}

/** The table's types say that both classes fit; TypeScript cannot follow them through the generic name. */
function codec<Received, Sent>(
  received: AnyMessage,
  sent: AnyMessage,
  sendsChunks: boolean,
): Codec<Received, Sent> {
  const writer = sent as MessageClass<unknown, Sent>;
  const reader = received as MessageClass<Received, never>;
  return {
    encode: (message) => {
      const { chunk } = message as { readonly chunk?: Uint8Array | null };
      if (sendsChunks && chunk) return chunkMessage(chunk);
      return asBuffer(writer.encode(message).finish());
    },
    decode: (bytes) => {
      try {
        return { message: reader.decode(bytes) };
      } catch (error) {
        return { malformed: error instanceof Error ? error.message : "not a message" };
      }
    },
  };
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
