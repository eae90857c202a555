/** /dev/attestation as Gramine with SGX has it: content is made at open, a write replaces the value at once. */
import path from "node:path";
import type { DeviceFiles } from "../device-file.ts";
import { type FakeFile, openFake, systemError } from "./fake-device.ts";

/** The files, and what was done with them. */
export type FakeGramine = DeviceFiles & {
  /** Opened and not closed. */
  readonly openCount: () => number;
  /** "write user_report_data", "open quote" in order. */
  readonly log: readonly string[];
  /** What stands in user_report_data. */
  readonly setReportData: (bytes: Uint8Array) => void;
};

/** What kind of Gramine it is, and what AESM answers. */
export type FakeGramineSettings = {
  /** "dcap", "none"; undefined is gramine-direct, which has no such file. */
  readonly attestationType: string | undefined;
  /** A quote over that report data; throws as AESM does not answer. */
  readonly quote: (reportData: Uint8Array) => Uint8Array;
};

/** Where attesters look for it unless told otherwise. */
export const FAKE_FOLDER = "/dev/attestation";

/** A process inside Gramine. */
export function fakeGramine({ attestationType, quote }: FakeGramineSettings): FakeGramine {
  let reportData: Uint8Array = new Uint8Array(64);
  let openCount = 0;
  const log: string[] = [];
  const files = new Map<string, FakeFile>();
  if (attestationType !== undefined) {
    files.set("attestation_type", { madeOn: "open", content: () => Buffer.from(attestationType) });
    files.set("user_report_data", {
      madeOn: "open",
      content: () => reportData,
      store: (bytes) => {
        log.push("write user_report_data");
        // Shorter writes are padded with zeros, longer ones cut.
        const value = new Uint8Array(64);
        value.set(bytes.subarray(0, 64));
        reportData = value;
        return bytes.byteLength;
      },
    });
    files.set("quote", {
      madeOn: "open",
      content: () => {
        log.push("open quote");
        return quote(reportData);
      },
    });
  }
  return {
    log,
    openCount: () => openCount,
    setReportData: (bytes) => {
      reportData = bytes;
    },
    open: async (file, flags) => {
      const found = path.dirname(file) === FAKE_FOLDER && files.get(path.basename(file));
      if (!found) throw systemError("ENOENT", `open ${file}`);
      const handle = openFake(found, flags, () => {
        openCount -= 1;
      });
      openCount += 1;
      return handle;
    },
    mkdir: async () => {
      throw systemError("EACCES", "mkdir");
    },
    rmdir: async () => {
      throw systemError("EACCES", "rmdir");
    },
  };
}
