/** The claims a verifier looked at, one line each, so that a refusal lists every reason and a success what was checked. */
import { type Refusal, refusal } from "../../base/refusal.ts";
import type { VerificationCode } from "./codes.ts";

export type Check<Code extends string = string> = {
  /** What should hold, for people: "PCK certificate: signed by the PCK CA". */
  readonly claim: string;
  /** Why it does not; absent if it holds. */
  readonly refusal?: Refusal<Code>;
};

/** Collects checks in order; nothing is decided here. */
export class Checklist<Code extends string = VerificationCode> {
  readonly #checks: Check<Code>[] = [];

  /**
   * Notes one claim.
   * @param seen  made only for a claim that does not hold
   * @returns holds
   */
  note(
    holds: boolean,
    code: Code,
    claim: string,
    seen: string | number | (() => string | number),
    wanted: string | number,
  ): boolean {
    if (holds) {
      this.#checks.push({ claim });
    } else {
      const value = typeof seen === "function" ? seen() : seen;
      this.#checks.push({ claim, refusal: refusal(code, value, wanted) });
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
