/** configfs-tsm as Linux has it (drivers/virt/coco/guest/report.c behind fs/configfs/file.c), in memory. */
import path from "node:path";
import { utf8 } from "../../../base/bytes.ts";
import type { DeviceFiles } from "../device-file.ts";
import { type FakeFile, openFake, systemError } from "./fake-device.ts";

/** What a driver makes of its options. */
export type FakeReport = { readonly outblob: Uint8Array; readonly auxblob: Uint8Array };

/** What kind of guest it is, and what goes wrong in it. */
export type FakeConfigfsSettings = {
  /** undefined: the interface is there, no driver is. */
  readonly provider: "tdx_guest" | "sev_guest" | undefined;
  /** Makes a report; throws what the platform does when it cannot. */
  readonly report: (inblob: Uint8Array, privilegeLevel: number) => FakeReport;
  /** SNP: privlevel below it is refused. */
  readonly privilegeFloor?: number;
  /** Somebody who cannot leave an entry alone: called before each outblob is made. */
  readonly meddle?: (entry: FakeEntry) => void;
};

/** One folder of a report. */
export type FakeEntry = {
  /** Writes as another process would. */
  readonly write: (inblob: Uint8Array) => void;
};

/** The files, and what was done with them. */
export type FakeConfigfs = DeviceFiles & {
  readonly openCount: () => number;
  /** Folders that were made and not removed. */
  readonly entries: () => readonly string[];
  /** Folders that were ever made. */
  readonly made: readonly string[];
};

/** Where attesters look for it unless told otherwise. */
export const FAKE_ROOT = "/sys/kernel/config/tsm/report";

/** A guest whose kernel has the interface. */
export function fakeConfigfs(settings: FakeConfigfsSettings): FakeConfigfs {
  const entries = new Map<string, ReadonlyMap<string, FakeFile>>();
  const made: string[] = [];
  let openCount = 0;
  return {
    made,
    openCount: () => openCount,
    entries: () => [...entries.keys()],
    mkdir: async (folder) => {
      if (path.dirname(folder) !== FAKE_ROOT) throw systemError("ENOENT", `mkdir ${folder}`);
      if (settings.provider === undefined) throw systemError("ENXIO", `mkdir ${folder}`);
      if (entries.has(folder)) throw systemError("EEXIST", `mkdir ${folder}`);
      made.push(folder);
      entries.set(folder, attributesOf(settings));
    },
    rmdir: async (folder) => {
      // The attributes go with it; only an entry that is held open stays.
      if (openCount > 0) throw systemError("EBUSY", `rmdir ${folder}`);
      if (!entries.delete(folder)) throw systemError("ENOENT", `rmdir ${folder}`);
    },
    open: async (file, flags) => {
      const found = entries.get(path.dirname(file))?.get(path.basename(file));
      if (found === undefined) throw systemError("ENOENT", `open ${file}`);
      const handle = openFake(found, flags, () => {
        openCount -= 1;
      });
      openCount += 1;
      return handle;
    },
  };
}

function attributesOf(settings: FakeConfigfsSettings): ReadonlyMap<string, FakeFile> {
  let generation = 0;
  let madeAtGeneration = -1;
  let inblob: Uint8Array = new Uint8Array();
  let privilegeLevel = settings.privilegeFloor ?? 0;
  let report: FakeReport | undefined;
  const write = (bytes: Uint8Array): void => {
    generation += 1;
    inblob = bytes;
  };
  const current = (part: keyof FakeReport) => (): Uint8Array => {
    if (inblob.byteLength === 0) throw systemError("EINVAL", "read");
    settings.meddle?.({ write });
    if (report === undefined || madeAtGeneration !== generation) {
      report = settings.report(inblob, privilegeLevel);
      madeAtGeneration = generation;
    }
    return report[part];
  };
  const text = (value: () => string): FakeFile => ({
    madeOn: "read",
    content: () => utf8(`${value()}\n`),
  });
  const files: [string, FakeFile][] = [
    ["provider", text(() => String(settings.provider))],
    ["generation", text(() => String(generation))],
    // A binary attribute is gathered while it is open and stored when it is closed.
    [
      "inblob",
      {
        madeOn: "read",
        maxBytes: 64,
        release: write,
      },
    ],
    ["outblob", { madeOn: "read", content: current("outblob") }],
  ];
  if (settings.provider === "sev_guest") {
    files.push(["auxblob", { madeOn: "read", content: current("auxblob") }]);
    files.push(["privlevel_floor", text(() => String(settings.privilegeFloor ?? 0))]);
    files.push([
      "privlevel",
      {
        madeOn: "read",
        store: (bytes) => {
          const level = Number(Buffer.from(bytes).toString());
          const isAllowed = level >= (settings.privilegeFloor ?? 0) && level <= 3;
          if (!isAllowed) throw systemError("EINVAL", "write");
          generation += 1;
          privilegeLevel = level;
          return bytes.byteLength;
        },
      },
    ]);
  }
  return new Map(files);
}
