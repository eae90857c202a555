/** What each check of a manifest is given. */
import type { Manifest } from "./manifest.ts";
import type { Path } from "./problems.ts";

/** A manifest of which only sound parts may be looked at. */
export type Sound = {
  readonly manifest: Manifest;
  /** Neither the value there, nor one within it, nor one around it has a fault of shape. */
  readonly isSound: (...path: Path) => boolean;
  /** Of the list there, sound or not; 0 if there is none. No more than may be, so that a hostile list costs little. */
  readonly lengthAt: (...path: Path) => number;
};
