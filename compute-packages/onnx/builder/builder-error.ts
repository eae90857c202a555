import { CodedError } from "../../../lib/base/refusal.ts";

/** Why no graph was written. */
export type BuilderErrorCode = "layers-do-not-fit";

/** A network that its author has to mend; the message names the layer. */
export class BuilderError extends CodedError<BuilderErrorCode> {}
