/** What a step makes of gradients: the next value of each state tensor, and of what an optimizer keeps beside it. */
import { globalName, nextName, PROXIMAL_MU } from "../graph-contract.ts";
import type { GraphWriter, NodeOptions, Value } from "./graph-writer.ts";
import {
  BETA1,
  BETA2,
  EPSILON,
  FIRST_WEIGHT,
  firstMomentName,
  LEARNING_RATE,
  MOMENTUM,
  momentumName,
  type Network,
  SECOND_WEIGHT,
  secondMomentName,
  WEIGHT_DECAY,
} from "./network.ts";

/** A gradient that is not written yet, so that it can be written together with what is done with it. */
export type PendingGradient = {
  readonly write: () => Value;
  /** The tensor less the gradient. */
  readonly subtractFrom: (current: Value, options: NodeOptions) => Value;
};

export type Optimizer = {
  /** Scalar: the backward pass is carried out on this times the gradient of the mean loss. */
  readonly gradientFactor: Value;
  /** Writes the tensor's next value; the gradient has the factor in it. */
  readonly learn: (current: Value, shape: readonly number[], gradient: PendingGradient) => void;
};

/** The network's optimizer. With `isProximal`, gradients are those of the loss and (mu/2)‖w − w₀‖². */
export function createOptimizer(
  graph: GraphWriter,
  network: Network,
  isProximal: boolean,
): Optimizer {
  const rate = graph.input(LEARNING_RATE, "F32", []);
  switch (network.optimizer ?? "sgd") {
    case "sgd":
      return descent(graph, rate, penaltyOf(graph, network, isProximal, rate));
    case "momentum":
      return momentum(graph, rate, penaltyOf(graph, network, isProximal, undefined));
    case "adam":
      return adam(graph, rate, penaltyOf(graph, network, isProximal, undefined));
  }
}

/** Gradient of what draws a tensor besides the loss, with the factor in it; undefined if nothing does. */
type Penalty = (current: Value, shape: readonly number[]) => Value | undefined;

/** Proximal term, mu · (w − w₀), and weight decay, lambda · w; each tensor has both, biases too. */
function penaltyOf(
  graph: GraphWriter,
  network: Network,
  isProximal: boolean,
  factor: Value | undefined,
): Penalty {
  const strength = (name: string): Value => {
    const given = graph.input(name, "F32", []);
    return factor ? graph.node("Mul", [factor, given]) : given;
  };
  const mu = isProximal ? strength(PROXIMAL_MU) : undefined;
  const decay = network.hasWeightDecay === true ? strength(WEIGHT_DECAY) : undefined;
  return (current, shape) => {
    const pulls: Value[] = [];
    if (mu) {
      const drift = graph.node("Sub", [
        current,
        graph.input(globalName(current.name), "F32", shape),
      ]);
      pulls.push(graph.node("Mul", [mu, drift]));
    }
    if (decay) pulls.push(graph.node("Mul", [decay, current]));
    const [first, second] = pulls;
    return first && second ? graph.node("Add", [first, second]) : first;
  };
}

/** w' = w − rate · g. The gradient carries the rate, so that a dense layer's update is one Gemm. */
function descent(graph: GraphWriter, rate: Value, penalty: Penalty): Optimizer {
  return {
    gradientFactor: rate,
    learn: (current, shape, gradient) => {
      const name = nextName(current.name);
      const pull = penalty(current, shape);
      const next = pull
        ? graph.node("Sub", [gradient.subtractFrom(current, {}), pull], { name })
        : gradient.subtractFrom(current, { name });
      graph.output(next, "F32", shape);
    },
  };
}

/** v' = momentum · v + g, w' = w − rate · v', v = 0 at first (as PyTorch's SGD without dampening). */
function momentum(graph: GraphWriter, rate: Value, penalty: Penalty): Optimizer {
  const keep = graph.input(MOMENTUM, "F32", []);
  return {
    gradientFactor: graph.floats("one", [], [1]),
    learn: (current, shape, gradient) => {
      const whole = wholeGradient(graph, gradient, penalty(current, shape));
      const velocity = carried(graph, momentumName(current.name), shape, (last, options) =>
        graph.node("Add", [graph.node("Mul", [keep, last]), whole], options),
      );
      replace(graph, current, shape, graph.node("Mul", [rate, velocity]));
    },
  };
}

/**
 * Adam (Kingma and Ba 2015, algorithm 1): m' = β₁m + (1 − β₁)g, v' = β₂v + (1 − β₂)g²,
 * w' = w − rate · (m'/c₁) / (√(v'/c₂) + ε). The corrections c = 1 − βᵗ are carried as c' = βc + (1 − β), which begins
 * at zero as the moments do and, unlike 1 − βᵗ, loses no digits in float32 when β is close to 1.
 */
function adam(graph: GraphWriter, rate: Value, penalty: Penalty): Optimizer {
  const one = graph.floats("one", [], [1]);
  const mixing = (beta: string) => {
    const keep = graph.input(beta, "F32", []);
    const take = graph.node("Sub", [one, keep]);
    return (last: Value, sample: Value | undefined, options: NodeOptions): Value => {
      const taken = sample ? graph.node("Mul", [take, sample]) : take;
      return graph.node("Add", [graph.node("Mul", [keep, last]), taken], options);
    };
  };
  const [mixFirst, mixSecond] = [mixing(BETA1), mixing(BETA2)];
  const epsilon = graph.input(EPSILON, "F32", []);
  const firstWeight = carried(graph, FIRST_WEIGHT, [], (last, options) =>
    mixFirst(last, undefined, options),
  );
  const secondWeight = carried(graph, SECOND_WEIGHT, [], (last, options) =>
    mixSecond(last, undefined, options),
  );
  const firstRate = graph.node("Div", [rate, firstWeight]);
  return {
    gradientFactor: one,
    learn: (current, shape, gradient) => {
      const whole = wholeGradient(graph, gradient, penalty(current, shape));
      const square = graph.node("Mul", [whole, whole]);
      const first = carried(graph, firstMomentName(current.name), shape, (last, options) =>
        mixFirst(last, whole, options),
      );
      const second = carried(graph, secondMomentName(current.name), shape, (last, options) =>
        mixSecond(last, square, options),
      );
      const spread = graph.node("Sqrt", [graph.node("Div", [second, secondWeight])]);
      const ratio = graph.node("Div", [first, graph.node("Add", [spread, epsilon])]);
      replace(graph, current, shape, graph.node("Mul", [firstRate, ratio]));
    },
  };
}

function wholeGradient(
  graph: GraphWriter,
  gradient: PendingGradient,
  pull: Value | undefined,
): Value {
  const own = gradient.write();
  return pull ? graph.node("Add", [own, pull]) : own;
}

/** A local state tensor: its last value in, its next value out. */
function carried(
  graph: GraphWriter,
  name: string,
  shape: readonly number[],
  next: (last: Value, options: NodeOptions) => Value,
): Value {
  const value = next(graph.input(name, "F32", shape), { name: nextName(name) });
  graph.output(value, "F32", shape);
  return value;
}

/** w' = w − step. */
function replace(graph: GraphWriter, current: Value, shape: readonly number[], step: Value): void {
  const options = { name: nextName(current.name) };
  graph.output(graph.node("Sub", [current, step], options), "F32", shape);
}
