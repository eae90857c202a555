/** Element types, named as safetensors names them. All are little-endian. */

const SIZE_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  U16: 2,
  I16: 2,
  U32: 4,
  I32: 4,
  U64: 8,
  I64: 8,
  F16: 2,
  BF16: 2,
  F32: 4,
  F64: 8,
} as const;

export type Dtype = keyof typeof SIZE_BYTES;
/** The types that training changes; all others are copied from the base model. */
export type TrainableDtype = "F16" | "BF16" | "F32" | "F64";

/** Whether the text names a type we read; 8-bit floats, complex and packed types are not among them. */
export const isDtype = (text: string): text is Dtype => Object.hasOwn(SIZE_BYTES, text);

/** Bytes of one element: 1, 2, 4 or 8. */
export const dtypeSizeBytes = (dtype: Dtype): number => SIZE_BYTES[dtype];

/** Whether training changes tensors of this type: F16, BF16, F32 and F64. */
export const isTrainable = (dtype: Dtype): dtype is TrainableDtype =>
  dtype === "F32" || dtype === "F64" || dtype === "F16" || dtype === "BF16";
