/** Limits of compute packages that hold in this folder only; the archive's own is MAX_PACKAGE_BYTES in lib/base. */
import { MIB } from "../../lib/base/limits.ts";

/** Files in one archive. */
export const MAX_FILES = 256;
/** One file in an archive. */
export const MAX_FILE_BYTES = 128 * MIB;
/** A path within an archive: what a ustar header holds without its prefix field. */
export const MAX_PATH_LENGTH = 100;
/** The manifest, fedn.yaml. */
export const MAX_MANIFEST_BYTES = 256 * 1024;
/** Inputs, masks, hyperparameters or metrics of one package. */
export const MAX_DECLARED = 64;
/** State tensors of one package. */
export const MAX_STATE_TENSORS = 4096;
/** Local state tensors of one package: two moments for each state tensor, and some numbers besides. */
export const MAX_LOCAL_TENSORS = 2 * MAX_STATE_TENSORS + MAX_DECLARED;
/** Axes of a tensor, the example axis included. */
export const MAX_RANK = 8;
/** Elements of one tensor, the example axis left out. */
export const MAX_TENSOR_ELEMENTS = 2 ** 29;
/** Examples in one step of training. */
export const MAX_BATCH_SIZE = 65_536;
/** Passes over the data in one round. */
export const MAX_LOCAL_EPOCHS = 1000;
/** Entry points of one package of commands. */
export const MAX_ENTRY_POINTS = 16;
/** Characters of a command line, and of a line that pip takes. */
export const MAX_COMMAND_LENGTH = 4096;
/** Lines that pip takes, of each kind. */
export const MAX_DEPENDENCIES = 512;
