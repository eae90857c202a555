/** A manifest of a FEDn package that is in order; tests deviate from it. */
export const goodCommandManifest = {
  kind: "fedclave/compute-package",
  version: 1,
  name: "good",
  runtime: "command",
  entry_points: {
    startup: { command: "python3 prepare.py" },
    train: { command: "python3 train.py" },
    validate: { command: "python3 validate.py" },
  },
  python_env: "python_env.yaml",
  command: {
    helper: "numpyhelper",
    tensorNames: ["fc1.weight", "fc1.bias"],
    pythonDependencies: { build: ["pip"], run: ["numpy==1.26.4", "-r requirements.txt"] },
    seedModel: "seed.safetensors",
  },
};
