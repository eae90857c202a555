/** What to tell the operator of a service whose endorsements do not verify. */
import { describeRefusals, type Refusal } from "../../base/refusal.ts";
import { CollateralError } from "./collateral-error.ts";

/**
 * An error for endorsements that came and do not hold.
 * @param what  "collateral of SGX platform 00906ed50000 (processor CA)"
 * @param refusals  at least one
 */
export function refusedEndorsements(what: string, refusals: readonly Refusal[]): CollateralError {
  const reasons = describeRefusals(refusals);
  const all = (ending: RegExp): boolean => refusals.every(({ code }) => ending.test(code));
  if (all(/-expired$/)) {
    const message = `${what}: what was served has ended (${reasons}); have the cache that served it renew it, and look at this machine's clock`;
    return new CollateralError("stale", message);
  }
  if (all(/-not-yet-valid$/)) {
    const message = `${what}: what was served has not begun (${reasons}); look at this machine's clock`;
    return new CollateralError("bad-response", message);
  }
  if (all(/-rolled-back$/)) {
    const message = `${what}: older than what was seen before (${reasons}); have the cache that served it renew it. After a change from early to standard updates this is as it must be: then remove the cache's folder`;
    return new CollateralError("rolled-back", message);
  }
  const message = `${what}: what was served does not verify (${reasons}); ask the vendor's own service, and compare the configured roots`;
  return new CollateralError("bad-response", message);
}
