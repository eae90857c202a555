/**
 * Reports of confidential VMs by the kernel's configfs-tsm (Linux 6.7 and later; ABI document "configfs-tsm-report"):
 * a folder is made, 64 bytes are written, the report is read, the folder is removed. One folder per report, so nobody
 * else's bytes get into it; the generation counter shows if somebody tried.
 */
import path from "node:path";
import { toHex, utf8 } from "../../base/bytes.ts";
import { type Randomness, systemRandomness } from "../../base/randomness.ts";
import { AttesterError } from "./attester.ts";
import {
  type DeviceFiles,
  deviceStep,
  readDevice,
  readDeviceText,
  systemCode,
  systemDevices,
  writeDevice,
} from "./device-file.ts";

const REPORTS_FOLDER = "/sys/kernel/config/tsm/report";
/** Bound of the report and of what comes with it; quotes have about 5 KiB, certificate tables up to 16. */
const MAX_BLOB_BYTES = 64 * 1024;
const NAME_BYTES = 8;

/** Where reports come from; defaults are those of the machine. */
export type TsmPlace = {
  /** Folder of the reports. */
  readonly folder?: string;
  readonly files?: DeviceFiles;
  /** Names the folder of one report, so that processes do not meet in it. */
  readonly randomness?: Randomness;
};

/** What one report is to say. */
export type TsmRequest = {
  /** Which kernel driver must answer. */
  readonly provider: "tdx_guest" | "sev_guest";
  /** 64 bytes. */
  readonly reportData: Uint8Array;
  /** Whether what the host sends along is wanted. */
  readonly withAuxiliary: boolean;
  /** SNP: the privilege level to report, 0 to 3; the caller's own if unset. */
  readonly privilegeLevel?: number;
};

/** What the kernel gave for it; only its generation was looked at. */
export type TsmReport = {
  readonly report: Uint8Array;
  /** Empty unless wanted, and where the host sends nothing. */
  readonly auxiliary: Uint8Array;
};

/**
 * One report.
 * @throws AttesterError
 */
export async function tsmReport(request: TsmRequest, place: TsmPlace = {}): Promise<TsmReport> {
  const { folder = REPORTS_FOLDER, files = systemDevices, randomness = systemRandomness } = place;
  const entry = path.join(folder, `fedclave-${toHex(randomness.bytes(NAME_BYTES))}`);
  await makeEntry(files, entry, folder);
  try {
    return await deviceStep(`asking ${request.provider} for a report`, REPORT_REMEDIES, () =>
      reportOf(files, entry, request),
    );
  } finally {
    // The outcome is known by now; a folder that stays costs the kernel a page and nobody an answer.
    await files.rmdir(entry).catch(() => undefined);
  }
}

const REPORT_REMEDIES = {
  EACCES: "reports are for root, or whom its file modes name: run as root in the guest",
  EPERM: "reports are for root, or whom its file modes name: run as root in the guest",
  EINVAL: "the kernel took no report data, or refused the privilege level (see privlevel_floor)",
  "": "look at the guest's kernel log, and on the host at the quote service (TDX) or the firmware (SNP)",
};

async function makeEntry(files: DeviceFiles, entry: string, folder: string): Promise<void> {
  try {
    await deviceStep(`making ${entry}`, REPORT_REMEDIES, () => files.mkdir(entry));
  } catch (error) {
    const code = error instanceof AttesterError ? systemCode(error.cause) : undefined;
    // No such folder, or a kernel with the interface and without a driver behind it.
    if (code !== "ENOENT" && code !== "ENXIO") throw error;
    const message = `${folder} makes no reports (${code}): this is no TDX or SEV-SNP guest, its kernel is older than 6.7, or configfs is not mounted`;
    throw new AttesterError("not-in-tee", message, { cause: error });
  }
}

async function reportOf(
  files: DeviceFiles,
  entry: string,
  { provider, reportData, withAuxiliary, privilegeLevel }: TsmRequest,
): Promise<TsmReport> {
  const attribute = (name: string): string => path.join(entry, name);
  const found = await readDeviceText(files, attribute("provider"));
  if (found !== provider) {
    throw new AttesterError("not-in-tee", `reports here are by ${found}, not by ${provider}`);
  }
  const before = await generationOf(files, attribute("generation"));
  if (privilegeLevel !== undefined) {
    await writeDevice(files, attribute("privlevel"), utf8(String(privilegeLevel)));
  }
  // Taken when the file is closed, and the kernel drops what goes wrong then: the generation shows it.
  await writeDevice(files, attribute("inblob"), reportData);
  const report = await readDevice(files, attribute("outblob"), MAX_BLOB_BYTES);
  const auxiliary = withAuxiliary
    ? await readDevice(files, attribute("auxblob"), MAX_BLOB_BYTES)
    : new Uint8Array();
  const after = await generationOf(files, attribute("generation"));
  const writeCount = privilegeLevel === undefined ? 1n : 2n;
  if (after - before !== writeCount) {
    const message = `${entry} was written ${after - before} times, not ${writeCount}: another process interferes`;
    throw new AttesterError("wrong-report-data", message);
  }
  return { report, auxiliary };
}

async function generationOf(files: DeviceFiles, file: string): Promise<bigint> {
  const text = await readDeviceText(files, file);
  if (/^\d{1,20}$/.test(text)) return BigInt(text);
  throw new AttesterError("no-evidence", `${file} is no counter: "${text}"`);
}
