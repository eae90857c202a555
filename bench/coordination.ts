/** Time per round when nothing is trained: 10 clients, a model of 4 KB, real processes over mutual TLS. */
import { completeSettings } from "../cli/session-settings.ts";
import {
  smallModel,
  smallPackage,
  smallUpdate,
} from "../compute-packages/examples/small/package.ts";
import { systemClock } from "../lib/base/clock.ts";
import { digestOf } from "../lib/base/ids.ts";
import { silentLog } from "../lib/base/log.ts";
import { systemRandomness } from "../lib/base/randomness.ts";
import { sendUpload } from "../lib/transport/send-upload.ts";
import { type Figures, median, quantile } from "./figures.ts";
import { startLightClient } from "./light-client.ts";
import { startLightFederation } from "./light-federation.ts";

/** Rounds before counting: the processes' code is compiled, their connections stand. */
const WARM_UP_ROUNDS = 20;

export type CoordinationOptions = {
  readonly clients: number;
  readonly combiners: number;
  readonly rounds: number;
  readonly bundleDirectory: string;
  readonly log: (line: string) => void;
};

export async function runCoordinationBench(options: CoordinationOptions): Promise<Figures> {
  const { clients, combiners, rounds, bundleDirectory, log } = options;
  const ports = { clock: systemClock(), log: silentLog };
  log(`starting a reducer, ${combiners} combiners and ${clients} light clients`);
  const federation = await startLightFederation({ combiners, bundleDirectory });
  try {
    const admin = await federation.join("admin", "bench");
    const model = smallModel();
    const archive = smallPackage();
    await sendUpload(admin.reducer, { model: { name: "seed" } }, model, digestOf(model));
    await sendUpload(admin.reducer, { package: { name: "bench" } }, archive, digestOf(archive));
    const update = { body: smallUpdate(), exampleCount: 1 };
    const attending = await Promise.all(
      range(clients).map(async (i) =>
        startLightClient(await federation.join("client", `light-${i}`), update, ports),
      ),
    );
    const commits: number[] = [];
    const [first] = attending;
    const done = new Promise<void>((resolve) => {
      first?.onTask(({ kind }) => {
        if (kind !== "committed") return;
        commits.push(performance.now());
        if (commits.length === rounds + WARM_UP_ROUNDS) resolve();
      });
    });
    const { settings } = completeSettings(
      { name: "bench", rounds: rounds + WARM_UP_ROUNDS, minClients: clients, validate: false },
      { packageDigest: digestOf(archive), packageName: "bench", seedModelHash: digestOf(model) },
      systemRandomness,
    );
    await admin.reducer.unary("Sessions.Start", { settings });
    log(`running ${WARM_UP_ROUNDS} + ${rounds} rounds`);
    await Promise.race([
      done,
      ...attending.map((each) => each.failed),
      ...federation.processes.map((each) => each.failed),
    ]);
    for (const client of attending) client.close();
    const durations = commits.slice(1).map((at, i) => at - (commits[i] ?? at));
    const counted = durations.slice(WARM_UP_ROUNDS - 1);
    return {
      bench: "coordination",
      clients,
      combiners,
      rounds,
      modelBytes: model.byteLength,
      p50Ms: median(counted),
      p99Ms: quantile(counted, 0.99),
      maxMs: Math.max(...counted),
    };
  } finally {
    await federation.close();
  }
}

const range = (count: number): number[] => [...Array(count).keys()];
