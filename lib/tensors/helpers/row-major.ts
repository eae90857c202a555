/**
 * Elements in Fortran order (first axis fastest) to C order (last axis fastest).
 * @param data  product of the axes times elementBytes bytes
 */
export function toRowMajor(
  data: Uint8Array,
  shape: readonly number[],
  elementBytes: number,
): Uint8Array {
  const result = new Uint8Array(data.byteLength);
  const strides: number[] = [];
  let stride = elementBytes;
  for (const axis of shape) {
    strides.push(stride);
    stride *= axis;
  }
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < data.byteLength; to += elementBytes) {
    for (let byte = 0; byte < elementBytes; byte++) result[to + byte] = data[from + byte] ?? 0;
    from += advance(index, shape, strides);
  }
  return result;
}

/** Moves to the next index, last axis fastest; returns by how much the offset changes. */
function advance(index: number[], shape: readonly number[], strides: readonly number[]): number {
  let change = 0;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const next = (index[axis] ?? 0) + 1;
    const stride = strides[axis] ?? 0;
    if (next < (shape[axis] ?? 0)) {
      index[axis] = next;
      return change + stride;
    }
    change -= (next - 1) * stride;
    index[axis] = 0;
  }
  return change;
}
