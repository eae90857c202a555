/** The manifest of a FEDn package: what FEDn's own fedn.yaml says under FEDn's keys, and ours beside it. */
import * as z from "zod/mini";
import {
  MAX_COMMAND_LENGTH,
  MAX_DEPENDENCIES,
  MAX_ENTRY_POINTS,
  MAX_STATE_TENSORS,
} from "./limits.ts";
import { packageName, path } from "./manifest-schema.ts";

/** One line for a shell or for pip. What it does is not judged here: the sandbox is for that. */
const line = z.string().check(
  z.minLength(1),
  z.maxLength(MAX_COMMAND_LENGTH),
  z.refine((text) => !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(text), {
    error: "holds a control character",
  }),
);
const dependencies = z.array(line).check(z.maxLength(MAX_DEPENDENCIES));

const entryPoints = z
  .record(z.string().check(z.regex(/^[a-z][a-z0-9_-]{0,31}$/)), z.strictObject({ command: line }))
  .check(
    z.refine((points) => Object.keys(points).length <= MAX_ENTRY_POINTS, {
      error: `has more than ${MAX_ENTRY_POINTS} entries`,
    }),
    z.refine((points) => Object.hasOwn(points, "train"), { error: "has no train" }),
  );

const command = z.strictObject({
  helper: z.enum(["numpyhelper", "binaryhelper", "androidhelper"]),
  tensorNames: z.optional(
    z.array(z.string().check(z.minLength(1), z.maxLength(256))).check(
      z.minLength(1),
      z.maxLength(MAX_STATE_TENSORS),
      z.refine((names) => new Set(names).size === names.length, { error: "names one twice" }),
    ),
  ),
  pythonDependencies: z.optional(z.strictObject({ build: dependencies, run: dependencies })),
  seedModel: z.optional(path),
});

/** Strict: an unknown field is refused, and so is a missing one. */
export const commandManifestSchema = z
  .strictObject({
    kind: z.literal("fedclave/compute-package"),
    version: z.literal(1),
    name: packageName,
    runtime: z.literal("command"),
    entry_points: entryPoints,
    python_env: z.optional(path),
    command,
  })
  .check(
    z.refine(
      ({ python_env, command }) =>
        (python_env === undefined) === (command.pythonDependencies === undefined),
      { error: "has one of python_env and command.pythonDependencies without the other" },
    ),
  );
