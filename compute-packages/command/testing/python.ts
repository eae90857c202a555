import { spawnSync } from "node:child_process";

/** Where a sandbox finds programs, and so where tests look for them. */
const SYSTEM_PYTHON = "/usr/bin/python3";

function pythonWith(...modules: readonly string[]): string | undefined {
  const script = modules.map((each) => `import ${each}`).join("\n");
  return spawnSync(SYSTEM_PYTHON, ["-c", script]).status === 0 ? SYSTEM_PYTHON : undefined;
}

/** The system's Python, if there is one. */
export const plainPython = pythonWith();
/** The system's Python, if it has numpy (Debian: python3-numpy). */
export const numpyPython = pythonWith("numpy");
/** The system's Python, if it has PyTorch and numpy (Debian: python3-torch). */
export const torchPython = pythonWith("torch", "numpy");
