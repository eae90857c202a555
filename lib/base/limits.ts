/** Every limit that holds in more than one folder, in one place. Folder-local ones are beside their use. */

const KIB = 1024;
/** Bytes of one mebibyte. */
export const MIB = 1024 * KIB;

/** One chunk of an upload or download. */
export const MAX_CHUNK_BYTES = MIB;
/** What senders use: large enough to be fast, small enough to interleave. */
export const CHUNK_BYTES = 512 * KIB;
/** Any single gRPC message; a chunk and its framing fit. */
export const MAX_MESSAGE_BYTES = MAX_CHUNK_BYTES + 64 * KIB;
/** A signed document (member statement, manifest) as a file or field. */
export const MAX_SIGNED_DOCUMENT_BYTES = 256 * KIB;
/** One model, update or partial held by a combiner or reducer. */
export const MAX_MODEL_BYTES = 2 ** 31;
/** One compute package archive. */
export const MAX_PACKAGE_BYTES = 256 * MIB;
/** Members of one federation. */
export const MAX_MEMBERS = 100_000;
/** Members of one cohort. */
export const MAX_COHORT = 10_000;
/** Uploads with a grant at one time, per process. */
export const MAX_GRANTED_UPLOADS = 8;
/** Uploads waiting for a grant, per process; further ones are refused. */
export const MAX_WAITING_UPLOADS = 20_000;
/** Figures that one client reports about one model. */
export const MAX_METRICS = 32;
/** Hyperparameters of one session. */
export const MAX_HYPERPARAMETERS = 64;
/** Reasons that are read or sent for one refusal; more say nothing further. */
export const MAX_REASONS = 16;
