/** SGX quotes by Gramine's pseudo-files (/dev/attestation). */
import path from "node:path";
import { oneAtATime } from "../../base/one-at-a-time.ts";
import { type Attester, AttesterError } from "./attester.ts";
import { checkQuote, ownReportData } from "./check-evidence.ts";
import {
  type DeviceFiles,
  deviceStep,
  readDevice,
  readDeviceText,
  systemCode,
  systemDevices,
  writeDevice,
} from "./device-file.ts";

const DEVICE_FOLDER = "/dev/attestation";
/** Gramine's own limit is 8 KiB. */
const MAX_QUOTE_BYTES = 64 * 1024;

/** What report data is written and which quote is read is state of the process, not of an attester. */
const device = oneAtATime();

/**
 * Quotes of this enclave. Gramine asks AESM for each of them, some tens of milliseconds, off the event loop. Nothing
 * else in the process may write user_report_data meanwhile; if it does, the quote is refused, not given out.
 * @param folder  "/dev/attestation" but in tests
 */
export function gramineSgxAttester(
  folder: string = DEVICE_FOLDER,
  files: DeviceFiles = systemDevices,
): Attester {
  const place = (name: string): string => path.join(folder, name);
  const quoteOver = async (reportData: Uint8Array): Promise<Uint8Array> => {
    await checkAttestationType(files, place("attestation_type"));
    await deviceStep("writing user_report_data", {}, () =>
      writeDevice(files, place("user_report_data"), reportData),
    );
    // The quote is made when its file is opened, so only now.
    return deviceStep("asking for a quote", QUOTE_REMEDIES, () =>
      readDevice(files, place("quote"), MAX_QUOTE_BYTES),
    );
  };
  return {
    kind: "gramine-sgx",
    attest: async (given) => {
      const reportData = ownReportData(given);
      const bytes = await device(() => quoteOver(reportData));
      checkQuote(bytes, "sgx", reportData);
      return { kind: "dcap-quote", bytes };
    },
  };
}

const QUOTE_REMEDIES = {
  // Whatever went wrong: Gramine has this one error.
  "": "look at AESM's log (is /var/run/aesmd/aesm.socket served, is the quote provider installed, does its PCCS know this machine?)",
};

async function checkAttestationType(files: DeviceFiles, file: string): Promise<void> {
  const type = await deviceStep("reading attestation_type", {}, async () => {
    try {
      return await readDeviceText(files, file);
    } catch (cause) {
      if (systemCode(cause) !== "ENOENT") throw cause;
      const message = `there is no ${file}: this process does not run in Gramine with SGX`;
      throw new AttesterError("not-in-tee", message, { cause });
    }
  });
  if (type === "dcap") return;
  const message = `${file} says "${type}"; set sgx.remote_attestation = "dcap" in the manifest and sign it again`;
  throw new AttesterError("no-evidence", message);
}
