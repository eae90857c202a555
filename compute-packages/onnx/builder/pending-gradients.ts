/** Gradients as layers hand them to the optimizer. */
import type { GraphWriter, Value } from "./graph-writer.ts";
import type { PendingGradient } from "./optimizer.ts";

/** A gradient that is subtracted by a node of its own. */
export const separate = (graph: GraphWriter, write: () => Value): PendingGradient => ({
  write,
  subtractFrom: (current, options) => graph.node("Sub", [current, write()], options),
});

/** f · vᵀ dy for rows v and dy: with the subtraction still one Gemm. */
export function ofProduct(
  graph: GraphWriter,
  rows: Value,
  gradient: Value,
  factor: number,
): PendingGradient {
  const product = { transA: { int: 1 } } as const;
  return {
    write: () =>
      graph.node("Gemm", [rows, gradient], {
        attributes: { ...product, alpha: { float: factor } },
      }),
    subtractFrom: (current, options) =>
      graph.node("Gemm", [rows, gradient, current], {
        ...options,
        attributes: { ...product, alpha: { float: -factor }, beta: { float: 1 } },
      }),
  };
}

/** Σ dy over these axes. @param axesName  of the constant that holds them */
export const ofSum = (
  graph: GraphWriter,
  gradient: Value,
  axesName: string,
  axes: readonly number[],
): PendingGradient =>
  separate(graph, () => {
    const constant = graph.ints(axesName, [axes.length], axes);
    return graph.node("ReduceSum", [gradient, constant], { attributes: { keepdims: { int: 0 } } });
  });
