/** Limits of the onnx runtime that hold in this folder only. */
import { MIB } from "../../lib/base/limits.ts";

/** One graph file; weights are state, not part of it. */
export const MAX_GRAPH_BYTES = 16 * MIB;
/** Nodes of one graph. */
export const MAX_NODES = 10_000;
/** Values of a graph that are neither inputs nor made by nodes: small constants. */
export const MAX_INITIALIZERS = 1024;
/** Elements of one constant. */
export const MAX_INITIALIZER_ELEMENTS = 2 ** 20;
/** Elements of one value, at the largest batch the manifest allows. */
export const MAX_VALUE_ELEMENTS = 2 ** 29;
/** Elements of all values of a graph together, likewise. */
export const MAX_TOTAL_ELEMENTS = 2 ** 30;
/** Kernel, stride and dilation of a window along one axis. */
export const MAX_WINDOW_SIZE = 4096;
/**
 * Multiply-adds, or what takes as long, of one step at the largest batch. The runtime cannot be stopped within a step:
 * measured on one core of 2026, 2^36 take 1 (matrices) to 13 seconds (windows); operators on elements alone are
 * slower, up to 75 s by it, but MAX_TOTAL_ELEMENTS lets a step have a quarter of that.
 */
export const MAX_STEP_WORK = 2 ** 36;
/** Multiply-adds of the steps that one run() takes together, unless one alone is more: a cancellation waits for them. */
export const MAX_RUN_WORK = 2 ** 34;
/** An element that an operator reads, compares or moves takes about as long as this many multiply-adds. */
export const ELEMENT_WORK = 16;
/** How many times as long where neighbours in memory do not stay neighbours. */
export const SCATTERED_FACTOR = 8;
/** Calling an operator takes about as long as this many multiply-adds. */
export const NODE_WORK = 2 ** 14;
/** Entries of an attribute that is a list. */
export const MAX_ATTRIBUTE_ENTRIES = 16;
/** The file format generations and operator sets this build was tested with. */
export const IR_VERSIONS = { minimum: 8, maximum: 10 } as const;
/** Operator sets of the default domain that graphs may be written for. */
export const OPSET_VERSIONS = { minimum: 17, maximum: 17 } as const;
/** Examples of one data set; indices are int32. */
export const MAX_EXAMPLES = 2 ** 28;
/** Examples given to the evaluation graph at a time. */
export const EVALUATION_BATCH_SIZE = 1000;
/** Steps in one run(), however little work they are. */
export const MAX_STEPS_PER_RUN = 8192;
/** Mask bytes made ahead for one run(). */
export const MAX_MASK_BYTES_PER_RUN = 64 * MIB;
