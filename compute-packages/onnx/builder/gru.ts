/**
 * A gated recurrent unit (Cho et al. 2014, with the reset gate behind the product, as PyTorch has it), unrolled: a graph
 * has no loops. All steps' inputs are multiplied at once, and all steps' gradients of the weights are one product each.
 */
import { type GraphWriter, stateInputs, type Value } from "./graph-writer.ts";
import { shapeAfter } from "./layer-shapes.ts";
import { gruState } from "./layer-state.ts";
import type { ForwardLayer, Signal } from "./layers.ts";
import type { GruLayer } from "./network.ts";
import type { Optimizer } from "./optimizer.ts";
import { ofProduct, ofSum } from "./pending-gradients.ts";

/** What one step of the forward pass leaves for the backward pass; each is [batch, outputs]. */
type Step = {
  readonly before: Value;
  readonly reset: Value;
  readonly update: Value;
  readonly candidate: Value;
  /** hU + c, as it goes into the candidate. */
  readonly hidden: Value;
};

/** What training and evaluation share: the last hidden state, and how it came about. */
export function recur(graph: GraphWriter, layer: GruLayer, input: Signal) {
  const shape = shapeAfter(layer, input.shape);
  const [stepCount = 0] = input.shape;
  const { outputs } = layer;
  const { inputWeight, hiddenWeight, inputBias, hiddenBias } = gruState(layer);
  const inputs = stateInputs(graph, [inputWeight, inputBias]);
  const hidden = stateInputs(graph, [hiddenWeight, hiddenBias]);
  const parts = partWriter(graph, layer.name);

  const rows = parts.reshape(input.value, [-1, layer.inputs]);
  const attributes = { alpha: { float: input.factor } };
  const product = graph.node("Gemm", [rows, ...inputs], { attributes });
  const sequence = parts.reshape(product, [-1, stepCount, 3 * outputs]);
  const steps: Step[] = [];
  let state: Value | undefined;
  for (let step = 0; step < stepCount; step++) {
    const given = parts.reshape(parts.slice(sequence, 1, step, 1), [-1, 3 * outputs]);
    // The first state is zero, of as many examples as there are.
    const before = state ?? graph.node("Mul", [parts.slice(given, 1, 0, outputs), parts.zero()]);
    const recurred = graph.node("Gemm", [before, ...hidden]);
    const sum = graph.node("Add", [
      parts.slice(given, 1, 0, 2 * outputs),
      parts.slice(recurred, 1, 0, 2 * outputs),
    ]);
    const gates = graph.node("Sigmoid", [sum]);
    const reset = parts.slice(gates, 1, 0, outputs);
    const update = parts.slice(gates, 1, outputs, outputs);
    const candidateHidden = parts.slice(recurred, 1, 2 * outputs, outputs);
    const candidate = graph.node("Tanh", [
      graph.node("Add", [
        parts.slice(given, 1, 2 * outputs, outputs),
        graph.node("Mul", [reset, candidateHidden]),
      ]),
    ]);
    const kept = graph.node("Mul", [update, graph.node("Sub", [before, candidate])]);
    state = graph.node("Add", [candidate, kept]);
    steps.push({ before, reset, update, candidate, hidden: candidateHidden });
  }
  const output: Signal = { value: state ?? input.value, factor: 1, shape };
  return { inputs, hidden, rows, parts, steps, output };
}

/** In training: back through the steps, last first. */
export function gru(
  graph: GraphWriter,
  layer: GruLayer,
  input: Signal,
  optimizer: Optimizer,
): ForwardLayer {
  const { inputs, hidden, rows, parts, steps, output } = recur(graph, layer, input);
  return {
    output,
    backward: (gradient, wantsInputGradient) => {
      const inputGradients: Value[] = [];
      const hiddenGradients: Value[] = [];
      let arriving = gradient;
      for (const [index, step] of [...steps.entries()].reverse()) {
        const { before, reset, update, candidate, hidden: product } = step;
        const kept = graph.node("Mul", [arriving, update]);
        const dCandidate = throughTanh(
          graph,
          parts,
          graph.node("Sub", [arriving, kept]),
          candidate,
        );
        const dUpdate = graph.node("Mul", [arriving, graph.node("Sub", [before, candidate])]);
        const gates = [
          throughSigmoid(graph, graph.node("Mul", [dCandidate, product]), reset),
          throughSigmoid(graph, dUpdate, update),
        ];
        const beside = { attributes: { axis: { int: 1 } } };
        const dHidden = graph.node(
          "Concat",
          [...gates, graph.node("Mul", [dCandidate, reset])],
          beside,
        );
        inputGradients.unshift(graph.node("Concat", [...gates, dCandidate], beside));
        hiddenGradients.unshift(dHidden);
        if (index === 0) break;
        arriving = graph.node("Gemm", [dHidden, hidden[0], kept], {
          attributes: { transB: { int: 1 } },
        });
      }
      // Steps one below the other for the sums over them, in the rows' order for the input.
      const below = (values: readonly Value[]) =>
        graph.node("Concat", values, { attributes: { axis: { int: 0 } } });
      const beside = graph.node("Concat", inputGradients, { attributes: { axis: { int: 1 } } });
      const dInput = parts.reshape(beside, [-1, 3 * layer.outputs]);
      const dHidden = below(hiddenGradients);
      const states = below(steps.map((step) => step.before));
      const { inputWeight, hiddenWeight, inputBias, hiddenBias } = gruState(layer);
      optimizer.learn(inputs[0], inputWeight.shape, ofProduct(graph, rows, dInput, input.factor));
      optimizer.learn(hidden[0], hiddenWeight.shape, ofProduct(graph, states, dHidden, 1));
      const sumOf = (value: Value, name: string) =>
        ofSum(graph, value, `${layer.name}.${name}_axis`, [0]);
      optimizer.learn(inputs[1], inputBias.shape, sumOf(dInput, "input"));
      optimizer.learn(hidden[1], hiddenBias.shape, sumOf(dHidden, "hidden"));
      if (!wantsInputGradient) return undefined;
      const dRows = graph.node("Gemm", [dInput, inputs[0]], {
        attributes: { transB: { int: 1 }, alpha: { float: input.factor } },
      });
      return parts.reshape(dRows, [-1, ...input.shape]);
    },
  };
}

/** y = σ(v): dv = dy · y · (1 − y). */
function throughSigmoid(graph: GraphWriter, gradient: Value, value: Value): Value {
  const slope = graph.node("Sub", [value, graph.node("Mul", [value, value])]);
  return graph.node("Mul", [gradient, slope]);
}

/** y = tanh(v): dv = dy · (1 − y²). */
function throughTanh(graph: GraphWriter, parts: Parts, gradient: Value, value: Value): Value {
  const slope = graph.node("Sub", [parts.one(), graph.node("Mul", [value, value])]);
  return graph.node("Mul", [gradient, slope]);
}

type Parts = ReturnType<typeof partWriter>;

/** Slices and shapes, each of whose constants is written once. */
function partWriter(graph: GraphWriter, name: string) {
  const made = new Map<string, Value>();
  const once = (key: string, make: (constantName: string) => Value): Value => {
    const value = made.get(key) ?? make(`${name}.${key}`);
    made.set(key, value);
    return value;
  };
  const ints = (key: string, values: readonly number[]): Value =>
    once(`${key}.${values.join("_").replace("-", "m")}`, (constantName) =>
      graph.ints(constantName, [values.length], values),
    );
  return {
    zero: () => once("zero", (constantName) => graph.floats(constantName, [], [0])),
    one: () => once("one", (constantName) => graph.floats(constantName, [], [1])),
    /** `size` places of an axis, from `start`. */
    slice: (value: Value, axis: number, start: number, size: number): Value => {
      const bounds = [ints("at", [start]), ints("at", [start + size]), ints("at", [axis])];
      return graph.node("Slice", [value, ...bounds]);
    },
    reshape: (value: Value, sizes: readonly number[]): Value =>
      graph.node("Reshape", [value, ints("shape", sizes)]),
  };
}
