/** Every limit of this folder. All are checked before anything is allocated from what a file claims. */
import { MAX_MODEL_BYTES } from "../base/limits.ts";

/** Tensors of one file. */
export const MAX_TENSORS = 16_384;
/** UTF-8 bytes of one tensor's name. */
export const MAX_TENSOR_NAME_BYTES = 256;
/** Axes of one tensor. */
export const MAX_RANK = 8;
/** Elements of one tensor, and so of one axis. */
export const MAX_TENSOR_ELEMENTS = MAX_MODEL_BYTES;
/** JSON header of one safetensors file, padding included. */
export const MAX_HEADER_BYTES = 8 * 1024 * 1024;
/** One safetensors file: grid sums are twice the size of a float32 model. Also the longest array of Node 20. */
export const MAX_FILE_BYTES = 2 * MAX_MODEL_BYTES;
/** Header of one .npy member. */
export const MAX_NPY_HEADER_BYTES = 65_536;
