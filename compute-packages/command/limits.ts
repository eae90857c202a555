/** What a command may use up, unless the data owner says otherwise, and what bounds the answers it gives. */
import { MIB } from "../../lib/base/limits.ts";

/** Of one task of one package. Each is enforced from outside the command; which process it was does not matter. */
export type CommandLimits = {
  /** From start to end. */
  readonly seconds: number;
  /** Address space of each process, and resident memory of all together. */
  readonly memoryBytes: number;
  /** Everything it writes, in memory: the package's own folder and /tmp, and any one file. */
  readonly diskBytes: number;
  /** Processes and threads at one time. */
  readonly processCount: number;
  /** Standard output and standard error together; what passes it is taken for a loop. */
  readonly outputBytes: number;
};

export const DEFAULT_LIMITS: CommandLimits = {
  seconds: 3600,
  memoryBytes: 16_384 * MIB,
  diskBytes: 2048 * MIB,
  processCount: 512,
  outputBytes: 16 * MIB,
};

/** Files and folders that one task may make. */
export const MAX_INODES = 65_536;
/** Open files of one process. */
export const MAX_OPEN_FILES = 4096;
/** Of the output, kept from its beginning and from its end. */
export const KEPT_HEAD_BYTES = 32 * 1024;
export const KEPT_TAIL_BYTES = 96 * 1024;
/** `<out>-metadata` and the JSON of a validation. */
export const MAX_JSON_BYTES = MIB;
/** What a model may grow by as a file of commands, beyond eight bytes per element. */
export const MAX_MODEL_FRAMING_BYTES = 16 * MIB;
/** Creating a Python environment: it downloads. */
export const ENVIRONMENT_SECONDS = 1800;
export const ENVIRONMENT_DISK_BYTES = 16_384 * MIB;
