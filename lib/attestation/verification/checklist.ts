/** The claims a verifier looked at, one line each, so that a refusal lists every reason and a success what was checked. */
import { type Refusal, refusal } from "../../base/refusal.ts";
import type { VerificationCode } from "./codes.ts";

/** One claim, and why it does not hold if it does not. */
export type Check<Code extends string = string> = {
  /** What should hold, for people: "PCK certificate: signed by the PCK CA". */
  readonly claim: string;
  /** Why it does not; absent if it holds. */
  readonly refusal?: Refusal<Code>;
};

/** What is shown in a reason, or how it is made. */
type Shown = string | number | (() => string | number);

const shownOf = (shown: Shown): string | number => (typeof shown === "function" ? shown() : shown);

/** Collects checks in order; nothing is decided here. */
export class Checklist<Code extends string = VerificationCode> {
  readonly #checks: Check<Code>[] = [];

  /**
   * Notes one claim.
   * @param seen  it and `wanted` may be functions, called only for a claim that does not hold
   * @returns holds
   */
  note(holds: boolean, code: Code, claim: string, seen: Shown, wanted: Shown): boolean {
    if (holds) {
      this.#checks.push({ claim });
    } else {
      this.#checks.push({ claim, refusal: refusal(code, shownOf(seen), shownOf(wanted)) });
    }
    return holds;
  }

  /** Takes over checks that were made elsewhere. */
  add(checks: readonly Check<Code>[]): void {
    this.#checks.push(...checks);
  }

  get checks(): readonly Check<Code>[] {
    return this.#checks;
  }

  get refusals(): readonly Refusal<Code>[] {
    return this.#checks.flatMap((check) => (check.refusal === undefined ? [] : [check.refusal]));
  }
}
