/**
 * The gate in front of the native runtime: a graph that was not written by us is data from a stranger, and it is
 * refused before a byte of it reaches a C++ parser unless everything in it is known, bounded and as declared.
 */
import { type Refusal, refusal } from "../../lib/base/refusal.ts";
import type { OnnxPackage } from "../format/archive.ts";
import { checkNodes } from "./gate-nodes.ts";
import type { GraphContract } from "./graph-contract.ts";
import {
  type ContractValue,
  evaluationContract,
  inferenceContract,
  stepContract,
} from "./graph-contract.ts";
import {
  EVALUATION_BATCH_SIZE,
  IR_VERSIONS,
  MAX_GRAPH_BYTES,
  MAX_INITIALIZERS,
  MAX_NODES,
  OPSET_VERSIONS,
} from "./limits.ts";
import {
  decodeModel,
  dtypeOfCode,
  type Graph,
  type ModelFile,
  type ValueInfo,
} from "./onnx-file.ts";

/** Why a graph is refused; docs/errors.md says what to do about each. */
export type GateCode =
  | "graph-too-large"
  | "graph-malformed"
  | "graph-unknown-fields"
  | "ir-version-not-supported"
  | "opset-not-supported"
  | "domain-refused"
  | "too-many-nodes"
  | "too-many-initializers"
  | "initializer-refused"
  | "name-refused"
  | "name-repeated"
  | "operator-not-allowed"
  | "attribute-refused"
  | "operand-refused"
  | "shape-mismatch"
  | "value-too-large"
  | "too-much-work"
  | "graph-inputs-differ"
  | "graph-outputs-differ";

/** Called with each reason. */
export type Refuse = (code: GateCode, seen: string | number, wanted: string | number) => void;

/** Reasons listed per graph; a hostile graph shall not make a long answer. */
const MAX_REASONS = 32;

/**
 * Every reason not to load the graphs of a package, prefixed with their paths; empty when they may run.
 * @param pkg  as readPackage gives it
 */
export function gatePackage(pkg: OnnxPackage): readonly Refusal<GateCode>[] {
  const { step, evaluation, inference } = pkg.manifest.onnx;
  const evaluated = evaluationContract(pkg.manifest, EVALUATION_BATCH_SIZE);
  const graphs: [string, GraphContract][] = [[step.graph, stepContract(pkg.manifest, false)]];
  if (step.proximalGraph !== undefined) {
    graphs.push([step.proximalGraph, stepContract(pkg.manifest, true)]);
  }
  graphs.push([evaluation.graph, evaluated]);
  if (inference !== undefined) {
    const contract = inferenceContract(pkg.manifest, inference, EVALUATION_BATCH_SIZE);
    graphs.push([inference.graph, contract]);
  }
  return graphs.flatMap(([path, contract]) =>
    gateGraph(pkg.files.get(path) ?? new Uint8Array(), contract).map((reason) =>
      refusal(reason.code, `${path}: ${reason.seen}`, reason.wanted),
    ),
  );
}

/**
 * Every reason not to load one graph; empty when it may run.
 * @param bytes  an ONNX file
 * @param contract  the inputs and outputs it must have, and its largest batch
 */
export function gateGraph(
  bytes: Uint8Array,
  contract: GraphContract,
): readonly Refusal<GateCode>[] {
  if (bytes.byteLength > MAX_GRAPH_BYTES) {
    return [refusal("graph-too-large", bytes.byteLength, `at most ${MAX_GRAPH_BYTES} bytes`)];
  }
  const model = decodeModel(bytes);
  if (model === "malformed") return [refusal("graph-malformed", "other bytes", "an ONNX file")];
  if (model === "unknown-fields") {
    return [
      refusal(
        "graph-unknown-fields",
        "fields outside the subset, or another order",
        "only fields of compute-packages/onnx/proto/onnx.proto",
      ),
    ];
  }
  const reasons: Refusal<GateCode>[] = [];
  const refuse: Refuse = (code, seen, wanted) => {
    if (reasons.length < MAX_REASONS) reasons.push(refusal(code, seen, wanted));
  };
  checkModel(model, refuse);
  const graph = model.graph ?? {};
  if (checkCounts(graph, refuse)) {
    checkValues("graph-inputs-differ", graph.input ?? [], contract.inputs, refuse);
    checkValues("graph-outputs-differ", graph.output ?? [], contract.outputs, refuse);
    checkNodes(graph, contract, refuse);
  }
  return reasons;
}

function checkModel(model: ModelFile, refuse: Refuse): void {
  const version = model.irVersion ?? 0;
  if (version < IR_VERSIONS.minimum || version > IR_VERSIONS.maximum) {
    const wanted = `${IR_VERSIONS.minimum} to ${IR_VERSIONS.maximum}`;
    refuse("ir-version-not-supported", version, wanted);
  }
  const opsets = model.opsetImport ?? [];
  const opset = opsets[0]?.version ?? 0;
  if (opset < OPSET_VERSIONS.minimum || opset > OPSET_VERSIONS.maximum) {
    refuse("opset-not-supported", opset, `${OPSET_VERSIONS.minimum} to ${OPSET_VERSIONS.maximum}`);
  }
  if (opsets.length !== 1 || (opsets[0]?.domain ?? "") !== "") {
    const domains = opsets.map((each) => each.domain || "default").join(", ");
    refuse("domain-refused", domains, "one operator set, of the default domain");
  }
}

function checkCounts(graph: Graph, refuse: Refuse): boolean {
  const nodeCount = graph.node?.length ?? 0;
  const initializerCount = graph.initializer?.length ?? 0;
  if (nodeCount > MAX_NODES) refuse("too-many-nodes", nodeCount, `at most ${MAX_NODES}`);
  if (initializerCount > MAX_INITIALIZERS) {
    refuse("too-many-initializers", initializerCount, `at most ${MAX_INITIALIZERS}`);
  }
  return nodeCount <= MAX_NODES && initializerCount <= MAX_INITIALIZERS;
}

/** The declared names, each once, with the declared dtype and dimensions; nothing else. */
function checkValues(
  code: "graph-inputs-differ" | "graph-outputs-differ",
  seen: readonly ValueInfo[],
  wanted: readonly ContractValue[],
  refuse: Refuse,
): void {
  const seenByName = new Map(seen.map((info) => [info.name ?? "", describeInfo(info)]));
  if (seenByName.size !== seen.length) refuse(code, "a name twice", "each name once");
  const wantedNames = new Set(wanted.map((value) => value.name));
  for (const value of wanted) {
    const found = seenByName.get(value.name);
    const expected = `${value.name} ${value.dtype}[${value.dimensions.join(",")}]`;
    if (found !== expected) refuse(code, found ?? `no ${value.name}`, expected);
  }
  for (const name of seenByName.keys()) {
    if (!wantedNames.has(name)) refuse(code, name, "only values the manifest declares");
  }
}

function describeInfo(info: ValueInfo): string {
  const tensor = info.type?.tensorType;
  const dims = tensor?.shape?.dim?.map((dim) => dim.dimParam ?? dim.dimValue ?? "?");
  return `${info.name} ${dtypeOfCode(tensor?.elemType) ?? "?"}[${dims?.join(",") ?? "?"}]`;
}
