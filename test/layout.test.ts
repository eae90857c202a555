/** Who may import whom (STYLE.md): held over every source of the repository. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { checkLayout, type SourceTree } from "./layout/check-layout.ts";
import { ROOT, readSources } from "./layout/read-sources.ts";
import { ENCLAVE_PACKAGES, FOLDER_RULES } from "./layout/rules.ts";
import { scanImports } from "./layout/scan-imports.ts";

test("the repository keeps to the import table", () => {
  const tree = readTree();
  expect([...tree.files.keys()]).toContain("lib/base/bytes.ts");
  expect(checkLayout(tree)).toEqual([]);
});

test("trusted folders may use only the packages that DESIGN.md allows inside an enclave", () => {
  const allowed = [...FOLDER_RULES.values()].filter((rules) => rules.trusted);
  const packages = new Set(allowed.flatMap((rules) => rules.packages));
  expect([...packages].filter((name) => !ENCLAVE_PACKAGES.includes(name))).toEqual([]);
});

test("only lib/transport and the fetching of collateral may open a socket, and nothing a process", () => {
  const sockets = new Map([
    ["lib/transport", ["http2", "net", "tls"]],
    ["lib/attestation/collateral", ["http", "https"]],
  ]);
  const forbidden = [
    "net",
    "tls",
    "http",
    "https",
    "http2",
    "dgram",
    "child_process",
    "cluster",
    "*",
  ];
  for (const [folder, { trusted, builtins }] of FOLDER_RULES) {
    if (!trusted) continue;
    const found = builtins.filter((each) => forbidden.includes(each));
    expect([folder, found]).toEqual([folder, sockets.get(folder) ?? []]);
  }
});

const good: [string, string][] = [
  [
    "lib/base/bytes.ts",
    'import { createHash } from "node:crypto";\nimport * as z from "zod/mini";',
  ],
  [
    "lib/transport/listen.ts",
    'import tls from "node:tls";\nimport { Server } from "@grpc/grpc-js";',
  ],
  ["reducer/core/round.ts", 'import type { Ledger } from "../../lib/storage/ledger.ts";'],
  ["reducer/service/main.ts", 'import { stepRound } from "../core/round.ts";'],
  ["reducer/core/test/round.test.ts", 'import { fake } from "../testing/fake.ts";'],
  ["reducer/core/testing/fake.ts", 'import { stepRound } from "../round.ts";'],
  ["cli/demo/main.ts", 'import { parts } from "../../compute-packages/examples/mnist/parts.ts";'],
  ["bench/main.ts", 'import { fold } from "../lib/aggregation/fold.ts";'],
  ["lib/base/der-writer.ts", 'import asn1 from "node-forge/lib/asn1.js";'],
  ["lib/attestation/attester/tsm.ts", 'import { mkdir } from "node:fs/promises";'],
  ["lib/storage/sqlite/driver.ts", 'import Database from "libsql";'],
  ["compute-packages/onnx/runtime.ts", 'import ort from "onnxruntime-node";'],
  ["vitest.config.ts", 'import { defineConfig } from "vitest/config";'],
  ["docs/decisions/readme.md", "anything"],
];

test("a tree that keeps the rules has no violations", () => {
  expect(checkLayout(treeOf(good))).toEqual([]);
});

test.each<[string, string, string, string]>([
  [
    "base importing a folder of ours",
    "lib/base/a.ts",
    'import { b } from "../tensors/b.ts";',
    "forbidden-folder",
  ],
  [
    "even a type of it",
    "lib/base/a.ts",
    'import type { B } from "../tensors/b.ts";',
    "forbidden-folder",
  ],
  [
    "an inline type",
    "lib/base/a.ts",
    'import { type B } from "../tensors/b.ts";',
    "forbidden-folder",
  ],
  ["a re-export", "lib/base/a.ts", 'export { b } from "../tensors/b.ts";', "forbidden-folder"],
  ["a star re-export", "lib/base/a.ts", 'export * from "../tensors/b.ts";', "forbidden-folder"],
  ["an import for its effect", "lib/base/a.ts", 'import "../tensors/b.ts";', "forbidden-folder"],
  [
    "an import over several lines",
    "lib/base/a.ts",
    'import {\n  a,\n  b,\n} from "../tensors/b.ts";',
    "forbidden-folder",
  ],
  [
    "an import at run time",
    "lib/base/a.ts",
    'const b = await import("../tensors/b.ts");',
    "forbidden-folder",
  ],
  ["a computed import", "lib/base/a.ts", "await import(name);", "computed-import"],
  ["a half computed one", "lib/base/a.ts", 'await import("./" + name);', "computed-import"],

  [
    "federation and provisioning importing each other",
    "lib/federation/a.ts",
    'import { b } from "../provisioning/b.ts";',
    "forbidden-folder",
  ],
  [
    "aggregation importing storage",
    "lib/aggregation/a.ts",
    'import { b } from "../storage/b.ts";',
    "forbidden-folder",
  ],
  [
    "a library folder importing a role",
    "lib/transport/a.ts",
    'import { b } from "../../reducer/core/b.ts";',
    "forbidden-folder",
  ],
  [
    "one role importing another",
    "reducer/core/a.ts",
    'import { b } from "../../combiner/core/b.ts";',
    "forbidden-folder",
  ],
  [
    "a service importing another role's core",
    "client/service/a.ts",
    'import { b } from "../../combiner/core/b.ts";',
    "forbidden-folder",
  ],
  [
    "a core importing its service",
    "reducer/core/a.ts",
    'import { b } from "../service/b.ts";',
    "forbidden-folder",
  ],
  [
    "a core importing transport",
    "combiner/core/a.ts",
    'import { b } from "../../lib/transport/b.ts";',
    "forbidden-folder",
  ],
  [
    "a core importing a type of transport",
    "combiner/core/a.ts",
    'import type { B } from "../../lib/transport/b.ts";',
    "forbidden-folder",
  ],
  [
    "a core importing wire types",
    "combiner/core/a.ts",
    'import type { B } from "../../proto/generated/fedclave.js";',
    "forbidden-folder",
  ],
  [
    "a core importing more than types of storage",
    "reducer/core/a.ts",
    'import { type B } from "../../lib/storage/b.ts";',
    "only-types",
  ],
  [
    "a core reading files",
    "reducer/core/a.ts",
    'import { readFile } from "node:fs/promises";',
    "forbidden-builtin",
  ],
  [
    "a core starting a worker",
    "client/core/a.ts",
    'import { Worker } from "node:worker_threads";',
    "forbidden-builtin",
  ],
  [
    "a core opening a socket",
    "client/core/a.ts",
    'import net from "node:net";',
    "forbidden-builtin",
  ],
  [
    "a core using a package",
    "client/core/a.ts",
    'import * as z from "zod/mini";',
    "forbidden-package",
  ],
  [
    "a service opening a socket",
    "client/service/a.ts",
    'import tls from "node:tls";',
    "forbidden-builtin",
  ],
  [
    "a service starting a process",
    "client/service/a.ts",
    'import { spawn } from "node:child_process";',
    "forbidden-builtin",
  ],
  [
    "a service speaking gRPC itself",
    "client/service/a.ts",
    'import grpc from "@grpc/grpc-js";',
    "forbidden-package",
  ],
  [
    "a service importing an example",
    "client/service/a.ts",
    'import { b } from "../../compute-packages/examples/b.ts";',
    "forbidden-folder",
  ],
  [
    "a host importing the core",
    "reducer/host/a.ts",
    'import { b } from "../core/b.ts";',
    "forbidden-folder",
  ],
  [
    "a host importing storage",
    "reducer/host/a.ts",
    'import { b } from "../../lib/storage/b.ts";',
    "forbidden-folder",
  ],
  [
    "the cli importing a service",
    "cli/a.ts",
    'import { b } from "../reducer/service/b.ts";',
    "forbidden-folder",
  ],
  [
    "the demo importing a service",
    "cli/demo/a.ts",
    'import { b } from "../../client/service/b.ts";',
    "forbidden-folder",
  ],
  [
    "the cli importing an example",
    "cli/a.ts",
    'import { b } from "../compute-packages/examples/b.ts";',
    "forbidden-folder",
  ],
  [
    "anything importing the bench",
    "cli/a.ts",
    'import { b } from "../bench/b.ts";',
    "forbidden-folder",
  ],
  ["anything importing a test", "cli/a.ts", 'import { b } from "../test/b.ts";', "imports-a-test"],
  [
    "a fake in shipped code",
    "reducer/core/a.ts",
    'import { b } from "./testing/b.ts";',
    "imports-a-fake",
  ],
  [
    "a fake in the bench",
    "bench/a.ts",
    'import { b } from "../lib/storage/testing/b.ts";',
    "imports-a-fake",
  ],
  [
    "a path out of the repository",
    "cli/a.ts",
    'import { b } from "../../other/b.ts";',
    "unknown-folder",
  ],
  [
    "node-forge outside its folder",
    "lib/provisioning/a.ts",
    'import asn1 from "node-forge/lib/asn1.js";',
    "forbidden-package",
  ],
  [
    "node-forge in a second file",
    "lib/base/a.ts",
    'import asn1 from "node-forge/lib/asn1.js";',
    "loaded-by-several",
  ],
  [
    "the verifier doing I/O",
    "lib/attestation/verification/a.ts",
    'import { readFile } from "node:fs/promises";',
    "forbidden-builtin",
  ],
  [
    "the verifier knowing who attests",
    "lib/attestation/verification/a.ts",
    'import type { Attester } from "../attester/attester.ts";',
    "forbidden-folder",
  ],
  [
    "the verifier using a package",
    "lib/attestation/evidence/a.ts",
    'import * as z from "zod/mini";',
    "forbidden-package",
  ],
  [
    "yaml inside an enclave",
    "compute-packages/format/a.ts",
    'import { parse } from "yaml";',
    "forbidden-package",
  ],
  [
    "a package by require",
    "compute-packages/format/a.ts",
    'const yaml = require("yaml");',
    "forbidden-package",
  ],
  [
    "a package that package.json does not name",
    "test/a.ts",
    'import { b } from "left-pad";',
    "undeclared-package",
  ],
  [
    "a built-in module without node:",
    "lib/base/a.ts",
    'import { createHash } from "crypto";',
    "builtin-without-prefix",
  ],
  [
    "a built-in module by its back door",
    "lib/base/a.ts",
    'process.getBuiltinModule("node:fs");',
    "forbidden-builtin",
  ],
  [
    "the database driver in a second place",
    "lib/storage/sqlite/a.ts",
    'import Database from "libsql";',
    "loaded-by-several",
  ],
  [
    "the database driver elsewhere",
    "lib/storage/file/a.ts",
    'import Database from "libsql";',
    "loaded-by-several",
  ],
  [
    "onnxruntime in a second file",
    "compute-packages/onnx/a.ts",
    'import ort from "onnxruntime-node";',
    "loaded-by-several",
  ],
  ["a file in camel case", "lib/base/someFile.ts", "", "not-kebab-case"],
  ["a folder in camel case", "lib/base/someFolder/a.ts", "", "not-kebab-case"],
  ["a file named for nothing", "lib/base/utils.ts", "", "empty-name"],
  ["a manager", "lib/storage/ledger-manager.ts", "", "empty-name"],
  ["a library folder that nobody knows", "lib/helpers/a.ts", "", "unknown-folder"],
  ["a role folder that nobody knows", "reducer/extra/a.ts", "", "unknown-folder"],
  ["a top-level folder that nobody knows", "packages/readme.md", "", "unknown-folder"],
  [
    "Node's certificate constructor",
    "lib/transport/a.ts",
    "new X509Certificate(der);",
    "raw-certificate-constructor",
  ],
  ["the host's clock", "reducer/core/a.ts", "const now = Date.now();", "clock-not-injected"],
  [
    "weak randomness",
    "client/service/a.ts",
    "const jitter = Math.random();",
    "randomness-not-injected",
  ],
  ["the console", "client/service/a.ts", "console.log(1);", "console"],
  ["code from strings", "lib/base/a.ts", 'new Function("return 1");', "code-from-strings"],
])("finds %s", (_what, file, source, code) => {
  const codes = checkLayout(treeOf([...good, [file, source]])).map((each) => [
    each.file,
    each.code,
  ]);
  expect(codes).toContainEqual([file, code]);
});

test("an import in a comment is none, and a comment sign in a string hides none", () => {
  const source = [
    '// import { a } from "../a.ts";',
    '/* import { b } from "../b.ts"; */',
    'const uri = "fedclave://"; const c = await import("../c.ts");',
  ].join("\n");
  expect(scanImports(source)).toEqual([{ specifier: "../c.ts", typeOnly: false }]);
});

function treeOf(files: readonly [string, string][]): SourceTree {
  const { dependencies, devDependencies } = readPackages();
  return { files: new Map(files), dependencies, devDependencies };
}

function readTree(): SourceTree {
  return { files: readSources(), ...readPackages() };
}

function readPackages(): Omit<SourceTree, "files"> {
  const text = readFileSync(path.join(ROOT, "package.json"), "utf8");
  const manifest = JSON.parse(text) as Record<string, Record<string, string>>;
  return {
    dependencies: Object.keys(manifest.dependencies ?? {}),
    devDependencies: Object.keys(manifest.devDependencies ?? {}),
  };
}
