import { expect, test } from "vitest";
import { silentLog } from "../../../lib/base/log.ts";
import { RefusedError } from "../../../lib/base/refusal.ts";
import { memoryArtifacts } from "../../../lib/storage/memory/artifact-store.ts";
import type { Input } from "../../core/coordinator.ts";
import { goodSettings, name, range, World } from "../../core/testing/world.ts";
import type { Engine } from "../engine.ts";
import { merging } from "../merging.ts";
import { modelShelf } from "../model-shelf.ts";

test("a partial that comes when its round waits for clients again is no doubt about its combiner", async () => {
  const world = new World({ combiners: 1, clients: 4 });
  world.attach(0);
  world.start(goodSettings);
  for (const client of range(4)) world.attend(client, 0);
  const submitted: Input[] = [];
  const engine: Pick<Engine, "coordinator" | "submit"> = {
    coordinator: () => world.coordinator,
    submit: async (input) => {
      submitted.push(input);
    },
  };
  const partials = merging({
    engine: () => engine as Engine,
    models: modelShelf(memoryArtifacts()),
    log: silentLog,
    onFatal: () => {},
  });
  const { key, lastLeaseEpoch } = world.round!;
  const offered = { key, leaseEpoch: lastLeaseEpoch };
  const taken = await partials.take(offered, name("combiner-0"), new Uint8Array(8)).catch((e) => e);
  expect(taken).toBeInstanceOf(RefusedError);
  expect(taken.refusals.map(({ code }: { code: string }) => code)).toEqual(["round-not-merging"]);
  expect(submitted).toEqual([]);
});
