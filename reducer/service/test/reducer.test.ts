import { rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { smallModel, smallPackage } from "../../../compute-packages/examples/small/package.ts";
import { writePackage } from "../../../compute-packages/format/archive.ts";
import {
  type CommandManifest,
  type CommandSection,
  manifestBytes,
} from "../../../compute-packages/format/manifest.ts";
import { utf8 } from "../../../lib/base/bytes.ts";
import { systemClock } from "../../../lib/base/clock.ts";
import { digestBytes, digestOf, type Name } from "../../../lib/base/ids.ts";
import { RefusedError } from "../../../lib/base/refusal.ts";
import { parseModel, writeSafetensors } from "../../../lib/tensors/safetensors.ts";
import { receiveDownload } from "../../../lib/transport/download.ts";
import type { Membership } from "../../../lib/transport/membership.ts";
import { sendUpload } from "../../../lib/transport/send-upload.ts";
import { fedclave } from "../../../proto/generated/fedclave.js";
import { TestFederation } from "../testing/federation.ts";

const clock = systemClock();
let federation: TestFederation;

beforeEach(async () => {
  federation = await TestFederation.found();
});

afterEach(() => federation.remove());

const codesOf = async (outcome: Promise<unknown>): Promise<readonly string[]> => {
  const error = await outcome.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof RefusedError) return error.refusals.map(({ code }) => code);
  throw new Error(`not refused: ${error}`);
};

const model = writeSafetensors([
  { name: "w", dtype: "F32", shape: [2], data: new Uint8Array(new Float32Array([1, 2]).buffer) },
]);

const importModel = (admin: Membership, body = model) =>
  sendUpload(admin.reducer, { model: { name: "seed" } }, body, digestOf(body));

describe("the home", () => {
  test("a restarted reducer is the same federation and remembers its members", async () => {
    const admin = await federation.join(await federation.enrol("admin", "anna"));
    await importModel(admin);
    await federation.stop();
    await federation.start();
    const again = await federation.join(await federation.enrol("admin", "bert"));
    expect(again.federationId).toBe(admin.federationId);
    const { members } = await again.reducer.unary("Members.List", {});
    expect(members.map(({ member }) => member).sort()).toEqual(["anna", "bert"]);
    const { models } = await again.reducer.unary("Models.List", {});
    expect(models.map(({ name }) => name)).toEqual(["seed"]);
  });

  test("a second reducer on the same home is refused while the first runs", async () => {
    await expect(federation.start()).rejects.toThrow(
      expect.objectContaining({ code: "already-open" }),
    );
  });

  test.each([
    ["another manifest", "manifest-changed", () => federation.writeManifest(2)],
    ["no manifest", "no-manifest", () => rm(path.join(federation.directory, "manifest.json"))],
    [
      "no ledger",
      "ledger-lost",
      () =>
        Promise.all(
          ["ledger.db", "ledger.db-wal"].map((file) =>
            rm(path.join(federation.directory, "state", file), { force: true }),
          ),
        ),
    ],
    [
      "no CA key",
      "authority-lost",
      () => rm(path.join(federation.directory, "state/authority.sealed")),
    ],
    [
      "no descriptor",
      "descriptor-lost",
      () => rm(path.join(federation.directory, "federation.json")),
    ],
    [
      "a damaged CA key",
      "not-authentic",
      () =>
        writeFile(path.join(federation.directory, "state/authority.sealed"), "FCFILE1\0garbage"),
    ],
  ])("a founded home with %s is refused as %s", async (_what, code, damage) => {
    await federation.stop();
    await damage();
    await expect(federation.start()).rejects.toThrow(expect.objectContaining({ code }));
  });
});

describe("joining", () => {
  test("a statement of an organization that is not in the manifest is refused", async () => {
    const given = { organization: "stranger", signer: federation.keys.stranger };
    const home = await federation.enrol("client", "carl", given);
    expect(await codesOf(federation.join(home))).toContain("unknown-organization");
  });

  test("a name that another organization uses is refused", async () => {
    await federation.join(await federation.enrol("client", "carl"));
    const given = { organization: "hospital-b", signer: federation.keys["hospital-b"] };
    const home = await federation.enrol("client", "carl", given);
    expect(await codesOf(federation.join(home))).toEqual(["name-taken"]);
  });

  test("an organization cannot make an admin", async () => {
    const given = { organization: "hospital-a", signer: federation.keys["hospital-a"] };
    const home = await federation.enrol("admin", "mallory", given);
    expect(await codesOf(federation.join(home))).toContain("role-not-permitted");
  });

  test("a member that joins again and again does not grow the ledger", async () => {
    const home = await federation.enrol("client", "carl");
    const sizes: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      await federation.join(home);
      sizes.push((await stat(path.join(federation.directory, "state/ledger.db-wal"))).size);
    }
    expect(sizes[2]).toBe(sizes[0]);
  });

  test("a member that was given a new key is refused with its former one", async () => {
    const before = await federation.join(await federation.enrol("client", "carl"));
    await federation.join(await federation.enrol("client", "carl"));
    const assigning = before.reducer.unary("Assignments.Assign", { version: 1 });
    expect(await codesOf(assigning)).toEqual(["unknown-member"]);
  });
});

describe("rights", () => {
  test.each(["client", "combiner"] as const)("a %s may not do an admin's work", async (role) => {
    const member = await federation.join(await federation.enrol(role, "carl"));
    const asking = member.reducer.unary("Sessions.List", {});
    expect(await codesOf(asking)).toEqual(["caller-not-allowed"]);
  });

  test("an admin may not attach as a combiner", async () => {
    const admin = await federation.join(await federation.enrol("admin", "anna"));
    const stream = admin.reducer.bidi("Coordination.Attach");
    expect(await codesOf(stream.read())).toEqual(["caller-not-allowed"]);
  });
});

describe("models", () => {
  test("an imported model comes back byte for byte", async () => {
    const admin = await federation.join(await federation.enrol("admin", "anna"));
    await importModel(admin);
    const digest = digestOf(model);
    const options = { kind: "model", digest, maxSizeBytes: 1000, clock } as const;
    expect(await receiveDownload(admin.reducer, options)).toEqual(model);
  });

  test("what is no canonical safetensors file is refused", async () => {
    const admin = await federation.join(await federation.enrol("admin", "anna"));
    expect((await codesOf(importModel(admin, utf8("no model"))))[0]).toMatch(/^model-/);
  });

  test("a model that holds a NaN is refused, and named", async () => {
    const admin = await federation.join(await federation.enrol("admin", "anna"));
    const data = new Uint8Array(new Float32Array([1, Number.NaN]).buffer);
    const body = writeSafetensors([{ name: "w", dtype: "F32", shape: [2], data }]);
    expect(await codesOf(importModel(admin, body))).toEqual(["model-non-finite"]);
  });

  test("a package that is none is refused", async () => {
    const admin = await federation.join(await federation.enrol("admin", "anna"));
    const body = utf8("no package");
    const sending = sendUpload(admin.reducer, { package: { name: "p" } }, body, digestOf(body));
    expect((await codesOf(sending))[0]).toMatch(/^package-/);
  });
});

const { AggregatorKind } = fedclave.v1;
const good = {
  version: 1,
  name: "trial",
  seedModelHash: digestBytes(digestOf(model)),
  packageDigest: digestBytes(digestOf(utf8("package"))),
  rounds: 1,
  aggregator: { kind: AggregatorKind.AGGREGATOR_KIND_FEDAVG },
  minClients: 1,
  clientFraction: 1,
  quorumCount: 1,
  roundDeadlineMs: 1000,
  maxAttempts: 1,
  elementBound: 8,
  weightCap: 1000,
  maxCohort: 8,
  sessionSeed: new Uint8Array(32),
};

describe("starting a session", () => {
  test.each([
    ["another version", { version: 2 }, "unknown-version"],
    ["a name with a slash", { name: "a/b" }, "setting-name"],
    ["a cut digest", { seedModelHash: new Uint8Array(31) }, "setting-seedModelHash"],
    ["no seed", { sessionSeed: new Uint8Array() }, "setting-sessionSeed"],
    ["no aggregator", { aggregator: {} }, "aggregator-kind"],
    [
      "an optimizer without its rates",
      { aggregator: { kind: AggregatorKind.AGGREGATOR_KIND_FEDADAM } },
      "aggregator-learningRate",
    ],
    ["no rounds", { rounds: 0 }, "setting-rounds"],
    ["a fraction of 0", { clientFraction: 0 }, "setting-clientFraction"],
    ["a fraction over 1", { clientFraction: 1.1 }, "setting-clientFraction"],
    ["a fraction that is no number", { clientFraction: Number.NaN }, "setting-clientFraction"],
    ["a quorum no cohort reaches", { quorumCount: 9, minClients: 9 }, "quorum-over-cohort"],
    ["a quorum over the clients waited for", { quorumCount: 2 }, "quorum-over-min-clients"],
    ["a norm bound of 0", { normBound: 0 }, "setting-normBound"],
    ["a negative proximal term", { proximalMu: -1 }, "setting-proximalMu"],
    ["bounds that leave too coarse a grid", { weightCap: 2 ** 29 }, "rounding-error-too-large"],
    [
      "a hyperparameter twice",
      {
        hyperparameters: [
          { name: "lr", value: 1 },
          { name: "lr", value: 2 },
        ],
      },
      "setting-hyperparameters",
    ],
    [
      "a hyperparameter that is no number",
      { hyperparameters: [{ name: "lr", value: Number.NaN }] },
      "setting-hyperparameters",
    ],
  ])("refuses %s", async (_what, deviation, code) => {
    const admin = await federation.join(await federation.enrol("admin", "anna"));
    const starting = admin.reducer.unary("Sessions.Start", { settings: { ...good, ...deviation } });
    expect(await codesOf(starting)).toContain(code);
  });

  test("refuses a model and a package that are not there, both at once", async () => {
    const admin = await federation.join(await federation.enrol("admin", "anna"));
    const starting = admin.reducer.unary("Sessions.Start", { settings: good });
    expect(await codesOf(starting)).toEqual(["unknown-model", "unknown-package"]);
  });
});

describe("a session whose parts do not fit", () => {
  async function start(deviation: object) {
    const admin = await federation.join(await federation.enrol("admin", "anna"));
    const archive = smallPackage();
    for (const body of [smallModel(), model]) await importModel(admin, body);
    await sendUpload(admin.reducer, { package: { name: "p" } }, archive, digestOf(archive));
    const settings = {
      ...good,
      packageDigest: digestBytes(digestOf(archive)),
      seedModelHash: digestBytes(digestOf(smallModel())),
      ...deviation,
    };
    return admin.reducer.unary("Sessions.Start", { settings });
  }

  test("is started when they do", async () => {
    expect((await start({})).waitingFor).toContain("no combiner is attached");
  });

  test.each([
    ["a model of other shapes", { seedModelHash: good.seedModelHash }, "model-does-not-fit"],
    [
      "a hyperparameter the package does not have",
      { hyperparameters: [{ name: "momentum", value: 1 }] },
      "hyperparameter-unknown",
    ],
    [
      "a hyperparameter out of its range",
      { hyperparameters: [{ name: "localEpochs", value: 11 }] },
      "hyperparameter-out-of-range",
    ],
    ["a proximal term the package does not have", { proximalMu: 0.1 }, "proximal-not-supported"],
  ])("is refused for %s", async (_what, deviation, code) => {
    expect(await codesOf(start(deviation))).toEqual([code]);
  });
});

describe("a session of a package of commands", () => {
  const commands = (command: Partial<CommandSection>): Uint8Array => {
    const manifest: CommandManifest = {
      kind: "fedclave/compute-package",
      version: 1,
      name: "commands" as Name,
      runtime: "command",
      entry_points: { train: { command: "true" } },
      command: { helper: "numpyhelper", ...command },
    };
    return writePackage(new Map([["fedn.yaml", manifestBytes(manifest)]]));
  };
  const numbered = writeSafetensors([
    { name: "0", dtype: "F32", shape: [1], data: new Uint8Array(4) },
    { name: "1", dtype: "F32", shape: [], data: new Uint8Array(4) },
  ]);
  async function start(archive: Uint8Array, seed: Uint8Array, deviation: object = {}) {
    const admin = await federation.join(await federation.enrol("admin", "anna"));
    await importModel(admin, seed);
    await sendUpload(admin.reducer, { package: { name: "p" } }, archive, digestOf(archive));
    const settings = {
      ...good,
      packageDigest: digestBytes(digestOf(archive)),
      seedModelHash: digestBytes(digestOf(seed)),
      ...deviation,
    };
    return admin.reducer.unary("Sessions.Start", { settings });
  }

  test("is started with a model of numbered tensors, whatever hyperparameters it is given", async () => {
    const hyperparameters = [{ name: "anything", value: 1 }];
    const started = await start(commands({}), numbered, { hyperparameters });
    expect(started.waitingFor).toContain("no combiner is attached");
  });

  test("is started with a model that has the names of the package", async () => {
    await start(commands({ tensorNames: ["1", "0"] }), numbered);
    const names = parseModel(smallModel()).layout.tensors.map(({ name }) => name);
    await start(commands({ tensorNames: names }), smallModel());
  });

  test("is refused with the model of an onnx package, whose tensors it cannot number", async () => {
    expect(await codesOf(start(commands({}), smallModel()))).toEqual(["model-does-not-fit"]);
  });

  test("is refused with a model that has other names, or more, than the package", async () => {
    for (const tensorNames of [["a", "b"], ["0"], ["0", "1", "2"]]) {
      const starting = start(commands({ tensorNames }), numbered);
      expect(await codesOf(starting)).toEqual(["model-does-not-fit"]);
    }
  });

  test("is refused a proximal term", async () => {
    const starting = start(commands({}), numbered, { proximalMu: 0.1 });
    expect(await codesOf(starting)).toEqual(["proximal-not-supported"]);
  });
});

describe("assignments", () => {
  const hello = (address: string) => ({
    hello: { version: 1, address, instanceId: new Uint8Array(16), maxClients: 10 },
  });

  test("a client is told that no combiner is there, then gets the one that attached, with its key", async () => {
    const client = await federation.join(await federation.enrol("client", "carl"));
    const assigning = () => client.reducer.unary("Assignments.Assign", { version: 1 });
    expect(await codesOf(assigning())).toEqual(["no-combiner"]);
    const home = await federation.enrol("combiner", "north");
    const combiner = await federation.join(home);
    const stream = combiner.reducer.bidi("Coordination.Attach");
    await stream.write(hello("10.0.0.1:7000"));
    expect((await stream.read())?.kind).toBe("attached");
    expect(await assigning()).toMatchObject({
      combiner: "north",
      address: "10.0.0.1:7000",
      combinerSpkiDigest: Buffer.from(home.key.spkiDigest, "hex"),
      epoch: 1,
    });
    stream.cancel();
  });

  test.each([
    ["no hello", { clientLeft: { member: "carl" } }, "hello-missing"],
    ["another version", { hello: { ...hello("a:1").hello, version: 2 } }, "unknown-version"],
    ["an address with a space", hello("a b:1"), "malformed-address"],
    [
      "a short instance id",
      { hello: { ...hello("a:1").hello, instanceId: new Uint8Array(15) } },
      "malformed-instance",
    ],
    [
      "no room for clients",
      { hello: { ...hello("a:1").hello, maxClients: 0 } },
      "malformed-max-clients",
    ],
  ])("a combiner with %s is refused", async (_what, first, code) => {
    const combiner = await federation.join(await federation.enrol("combiner", "north"));
    const stream = combiner.reducer.bidi("Coordination.Attach");
    await stream.write(first);
    expect(await codesOf(stream.read())).toContain(code);
  });
});
