/** TDX quotes of this VM. */

import { oneAtATime } from "../../base/one-at-a-time.ts";
import type { Attester } from "./attester.ts";
import { checkQuote, ownReportData } from "./check-evidence.ts";
import { type TsmPlace, tsmReport } from "./configfs-tsm.ts";

/** Quotes of this trust domain by configfs-tsm; the host's quote service signs them. @param place  for tests */
export function tdxAttester(place: TsmPlace = {}): Attester {
  const queue = oneAtATime();
  return {
    kind: "tdx",
    attest: async (given) => {
      const reportData = ownReportData(given);
      const request = { provider: "tdx_guest", reportData, withAuxiliary: false } as const;
      const { report } = await queue(() => tsmReport(request, place));
      checkQuote(report, "tdx", reportData);
      return { kind: "dcap-quote", bytes: report };
    },
  };
}
