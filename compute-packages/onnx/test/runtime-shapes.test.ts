import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { type Attribute, encodeModel, type GraphNode, valueInfo } from "../onnx-file.ts";
import { type Shape, sizeOf } from "../operator.ts";
import { findOperator } from "../operators.ts";
import { loadOrt, type OrtModule, SESSION_OPTIONS } from "../ort.ts";

let ort: OrtModule;
beforeAll(async () => {
  ort = await loadOrt();
});

const ints = (name: string, values: readonly number[]): Attribute => ({
  name,
  ints: [...values],
  type: 7,
});

/** The shape the gate's rule gives, or undefined. */
function ruled(node: GraphNode, shapes: readonly Shape[], pool?: GraphNode): Shape | undefined {
  const list = (of: GraphNode, name: string) =>
    of.attribute?.find((each) => each.name === name)?.ints ?? undefined;
  return findOperator(node.opType!)!.shape({
    shapes,
    int: (_name, fallback) => fallback,
    ints: (name) => list(node, name),
    constant: () => undefined,
    pool: () =>
      pool && {
        inputShape: shapes[2]!,
        kernel: list(pool, "kernel_shape")!,
        strides: list(pool, "strides") ?? [1, 1],
      },
  });
}

/** The shape of what the runtime makes of numbers in these shapes. */
async function made(nodes: readonly GraphNode[], shapes: readonly Shape[], shape: Shape) {
  const names = shapes.map((_shape, index) => `input${index}`);
  const model = encodeModel({
    irVersion: 8,
    opsetImport: [{ domain: "", version: 17 }],
    graph: {
      name: "graph",
      node: [...nodes],
      input: names.map((name, index) => valueInfo(name, "F32", shapes[index]!)),
      output: [valueInfo("made", "F32", shape)],
    },
  });
  const session = await ort.InferenceSession.create(model, SESSION_OPTIONS);
  const feeds = Object.fromEntries(
    names.map((name, index) => {
      const elements = Float32Array.from({ length: sizeOf(shapes[index]!) }, (_, at) => at % 7);
      return [name, new ort.Tensor("float32", elements, shapes[index]!)];
    }),
  );
  const { made } = await session.run(feeds);
  await session.release();
  return made!.dims;
}

const pair = (minimum: number, maximum: number) =>
  fc.tuple(fc.integer({ min: minimum, max: maximum }), fc.integer({ min: minimum, max: maximum }));
const window = fc.record({
  batch: fc.integer({ min: 1, max: 3 }),
  channels: pair(1, 3),
  image: pair(1, 9),
  kernel: pair(1, 4),
  strides: pair(1, 3),
  dilations: pair(1, 3),
  before: pair(0, 3),
  after: pair(0, 3),
});

test("where the gate's rules for windows give a shape, the runtime makes just that", async () => {
  const seen = { Conv: 0, ConvTranspose: 0, MaxPool: 0, MaxUnpool: 0 };
  await fc.assert(
    fc.asyncProperty(window, async (given) => {
      const { batch, channels, image, kernel, strides, dilations, before, after } = given;
      const pads = ints("pads", [...before, ...after]);
      const input = [batch, channels[0], ...image];
      const stepping = [ints("strides", strides), ints("dilations", dilations), pads];
      const pooling = [ints("kernel_shape", kernel), ints("strides", strides)];
      const cases: [GraphNode, Shape[]][] = [
        [
          { opType: "Conv", attribute: stepping },
          [input, [channels[1], channels[0], ...kernel], [channels[1]]],
        ],
        [
          { opType: "ConvTranspose", attribute: stepping },
          [input, [channels[0], channels[1], ...kernel], [channels[1]]],
        ],
        [{ opType: "MaxPool", attribute: [...pooling, pads] }, [input]],
      ];
      for (const [node, shapes] of cases) {
        const wanted = ruled(node, shapes);
        if (wanted === undefined) continue;
        const inputs = shapes.map((_shape, index) => `input${index}`);
        const whole = { ...node, input: inputs, output: ["made"] };
        expect(await made([whole], shapes, wanted)).toEqual(wanted);
        seen[node.opType as keyof typeof seen] += 1;
      }
      const pool = { opType: "MaxPool", attribute: pooling };
      const unpool = { opType: "MaxUnpool", attribute: pooling };
      const pooled = ruled(pool, [input]);
      const wanted = pooled && ruled(unpool, [pooled, pooled, input], pool);
      if (wanted === undefined) return;
      const both = [
        { ...pool, input: ["input0"], output: ["pooled", "places"] },
        { ...unpool, input: ["pooled", "places"], output: ["made"] },
      ];
      expect(await made(both, [input], wanted)).toEqual(input);
      seen.MaxUnpool += 1;
    }),
    { numRuns: 150 },
  );
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(5);
});
