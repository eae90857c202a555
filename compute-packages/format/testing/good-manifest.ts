/** A manifest that is in order, as parsed YAML would give it; tests deviate from it. */
export const goodManifest = {
  kind: "fedclave/compute-package",
  version: 1,
  name: "good",
  runtime: "onnx",
  data: {
    x: { dtype: "F32", shape: [3] },
    y: { dtype: "U8", shape: [] },
  },
  onnx: {
    step: { graph: "step.onnx", proximalGraph: "proximal.onnx" },
    evaluation: { graph: "evaluation.onnx", metrics: ["loss", "accuracy"] },
    seedModel: "models/seed.safetensors",
    state: { "dense.weight": { dtype: "F32", shape: [3, 2] } },
    masks: { dropout: { shape: [2], keepPer256: 128 } },
    hyperparameters: {
      batchSize: { default: 4, minimum: 1, maximum: 8 },
      localEpochs: { default: 1, minimum: 1, maximum: 10 },
      learningRate: { default: 0.1, minimum: 0, maximum: 1 },
    },
  },
};
