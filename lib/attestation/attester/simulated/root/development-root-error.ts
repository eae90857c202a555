import { CodedError } from "../../../../base/refusal.ts";

/** What is wrong with the folder of a development root. */
export class DevelopmentRootError extends CodedError<
  /** The folder is inside a repository or a build of ours, from where it could be shipped. */
  | "root-misplaced"
  /** Others than the owner have rights to it. */
  | "root-exposed"
  /** A file is not what this code wrote. */
  | "root-broken"
  /** The medium failed: see the cause. */
  | "root-unreadable"
> {}
