/** SEV-SNP reports of this VM, with the certificates that its host gives along. */

import { oneAtATime } from "../../base/one-at-a-time.ts";
import type { Attester } from "./attester.ts";
import { checkSnpReport, ownReportData } from "./check-evidence.ts";
import { type TsmPlace, tsmReport } from "./configfs-tsm.ts";
import { certificatesFor, parseCertificateTable } from "./snp-certificate-table.ts";

/** How reports are asked for; nothing needs to be set. */
export type SevSnpSettings = {
  /** Privilege level to report, 0 to 3; the caller's own if unset. */
  readonly vmpl?: number;
  /** For tests. */
  readonly place?: TsmPlace;
};

/** Reports of this guest by configfs-tsm; the chip's firmware signs them. */
export function sevSnpAttester({ vmpl, place = {} }: SevSnpSettings = {}): Attester {
  const queue = oneAtATime();
  return {
    kind: "sev-snp",
    attest: async (given) => {
      const reportData = ownReportData(given);
      const request = { provider: "sev_guest", reportData, withAuxiliary: true } as const;
      const level = vmpl === undefined ? {} : { privilegeLevel: vmpl };
      const { report, auxiliary } = await queue(() => tsmReport({ ...request, ...level }, place));
      const { signingKey } = checkSnpReport(report, reportData);
      const certificates = certificatesFor(signingKey, parseCertificateTable(auxiliary));
      return { kind: "snp-report", bytes: report, certificates };
    },
  };
}
