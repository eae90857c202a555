/** What a command trained, as the update that is sent. */
import { printable } from "../../../lib/base/refusal.ts";
import { writeFloats } from "../../../lib/tensors/floats.ts";
import { type TensorLayout, trainableLayout } from "../../../lib/tensors/layout.ts";
import { tensorBytes } from "../../../lib/tensors/safetensors.ts";
import { CommandError } from "../command-error.ts";
import { floatsOf, type ModelArrays, type NumberedTensors } from "./model-files.ts";

/**
 * trained − base for every trainable tensor, in its own dtype; integers stay as they are in the base. The command may
 * leave floats of another width: numpy widens without being asked.
 * @param model  canonical safetensors of the layout
 * @returns canonical safetensors of trainableLayout(layout)
 * @throws CommandError "result-malformed" for another shape or for integers | "diverged" if not all is finite
 * @throws TensorError "nothing-trainable"
 */
export function writeUpdate(
  model: Uint8Array,
  layout: TensorLayout,
  numbered: NumberedTensors,
  trained: ModelArrays,
): Uint8Array {
  const target = trainableLayout(layout);
  const update = new Uint8Array(target.sizeBytes);
  update.set(target.header);
  const numberOf = new Map(numbered.map(({ name }, index) => [name, index]));
  const baseOf = new Map(layout.tensors.map((tensor) => [tensor.name, tensor]));
  for (const tensor of target.tensors) {
    const number = numberOf.get(tensor.name) ?? -1;
    const array = trained[number];
    const base = baseOf.get(tensor.name);
    if (array === undefined || base === undefined) continue;
    if (array.shape.join() !== tensor.shape.join()) {
      throw malformed(number, `has shape [${array.shape}], wanted [${tensor.shape}]`);
    }
    const after = floatsOf(array.dtype, array.data, tensor.elementCount);
    const before = floatsOf(base.dtype, tensorBytes(model, base), tensor.elementCount);
    if (after === undefined || before === undefined) {
      throw malformed(number, `holds ${array.dtype}, wanted floats`);
    }
    for (let i = 0; i < after.length; i++) after[i] = (after[i] ?? 0) - (before[i] ?? 0);
    if (!writeFloats(tensor.dtype as "F32", after, tensorBytes(update, tensor))) {
      const what = `array ${number} (${printable(tensor.name)})`;
      throw new CommandError("diverged", `training made ${what} infinite or undefined`);
    }
  }
  return update;
}

const malformed = (number: number, what: string): CommandError =>
  new CommandError("result-malformed", `array ${number} of the trained model ${what}`);
