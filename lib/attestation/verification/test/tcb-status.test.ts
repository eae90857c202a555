import { describe, expect, test } from "vitest";
import { TCB_STATUSES, type TcbStatus } from "../../endorsements/tcb-info.ts";
import { converge, isOutOfDate } from "../tcb-status.ts";

/** What Intel's library makes of a platform and a part of it: quoting enclave, or TDX module. */
const TABLE: readonly (readonly [TcbStatus, TcbStatus, TcbStatus])[] = [
  ["UpToDate", "UpToDate", "UpToDate"],
  ["UpToDate", "OutOfDate", "OutOfDate"],
  ["UpToDate", "Revoked", "Revoked"],
  ["SWHardeningNeeded", "UpToDate", "SWHardeningNeeded"],
  ["SWHardeningNeeded", "OutOfDate", "OutOfDate"],
  ["SWHardeningNeeded", "Revoked", "Revoked"],
  ["ConfigurationNeeded", "UpToDate", "ConfigurationNeeded"],
  ["ConfigurationNeeded", "OutOfDate", "OutOfDateConfigurationNeeded"],
  ["ConfigurationNeeded", "Revoked", "Revoked"],
  ["ConfigurationAndSWHardeningNeeded", "UpToDate", "ConfigurationAndSWHardeningNeeded"],
  ["ConfigurationAndSWHardeningNeeded", "OutOfDate", "OutOfDateConfigurationNeeded"],
  ["ConfigurationAndSWHardeningNeeded", "Revoked", "Revoked"],
  ["OutOfDate", "UpToDate", "OutOfDate"],
  ["OutOfDate", "OutOfDate", "OutOfDate"],
  ["OutOfDate", "Revoked", "Revoked"],
  ["OutOfDateConfigurationNeeded", "UpToDate", "OutOfDateConfigurationNeeded"],
  ["OutOfDateConfigurationNeeded", "OutOfDate", "OutOfDateConfigurationNeeded"],
  ["OutOfDateConfigurationNeeded", "Revoked", "Revoked"],
  ["Revoked", "UpToDate", "Revoked"],
  ["Revoked", "OutOfDate", "Revoked"],
  ["Revoked", "Revoked", "Revoked"],
];

describe("the platform's status together with that of a part of it", () => {
  test.each(TABLE)("%s with %s is %s", (platform, part, whole) => {
    expect(converge(platform, part)).toBe(whole);
  });

  test("is Intel's table whole: every platform status with every status a part can have", () => {
    expect(TABLE).toHaveLength(TCB_STATUSES.length * 3);
  });

  test("is never better for a part whose status Intel does not give to parts", () => {
    const rank = (status: TcbStatus) => ["UpToDate", "OutOfDate", "Revoked"].indexOf(status);
    for (const part of TCB_STATUSES) {
      const whole = converge("UpToDate", part);
      expect([part, whole]).toEqual([part, rank(part) < 0 ? "OutOfDate" : part]);
    }
  });
});

test.each(TCB_STATUSES)("%s is out of date if its name says so", (status) => {
  expect(isOutOfDate(status)).toBe(status.startsWith("OutOfDate"));
});
