import { equalBytes } from "../../lib/base/bytes.ts";
import { type Digest, digestOf } from "../../lib/base/ids.ts";
import { MAX_PACKAGE_BYTES } from "../../lib/base/limits.ts";
import { MAX_FILE_BYTES, MAX_FILES } from "./limits.ts";
import {
  type CommandManifest,
  filesNamedBy,
  MANIFEST_PATH,
  type OnnxManifest,
  type PackageManifest,
  parseManifestFile,
  type Runtime,
} from "./manifest.ts";
import { PackageError } from "./package-error.ts";
import { findClash, isPackagePath } from "./paths.ts";
import { readStoredGzip, storedGzip } from "./stored-gzip.ts";
import { readUstar, writeUstar } from "./ustar.ts";

/** A compute package that was read from its archive: every file its manifest names is there. */
export type ComputePackage = OnnxPackage | CommandPackage;
export type OnnxPackage = PackageOf<OnnxManifest>;
export type CommandPackage = PackageOf<CommandManifest>;

/**
 * The package as one of that runtime.
 * @throws PackageError "wrong-runtime"
 */
export function packageFor<Wanted extends Runtime>(
  runtime: Wanted,
  pkg: ComputePackage,
): Extract<ComputePackage, { runtime: Wanted }> {
  if (pkg.runtime !== runtime) {
    const { name } = pkg.manifest;
    throw new PackageError(
      "wrong-runtime",
      `${name} is a package for the runtime ${pkg.runtime}, and this runs ${runtime}`,
    );
  }
  return pkg as Extract<ComputePackage, { runtime: Wanted }>;
}

type PackageOf<Manifest extends PackageManifest> = {
  /** The manifest's, so that the kinds can be told apart. */
  readonly runtime: Manifest["runtime"];
  /** SHA-256 of the archive. */
  readonly digest: Digest;
  readonly manifest: Manifest;
  /** Contents by path, `fedn.yaml` among them; views of the archive's content. */
  readonly files: ReadonlyMap<string, Uint8Array>;
};

/**
 * The one archive of these files: ustar in path order (code units), zero times and owners, in gzip stored blocks.
 * @param files  contents by path; `fedn.yaml` holds the manifest in canonical JSON
 * @throws PackageError as readPackage does: what is written can be read
 */
export function writePackage(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const archive = storedGzip(writeUstar(sortedFiles(files)));
  checkArchiveSize(archive);
  checkManifest(files);
  return archive;
}

/**
 * Reads an archive that writePackage wrote; any other spelling of the same files is refused, so that a digest
 * and a content are one.
 * @throws PackageError for every reason in PackageErrorCode
 */
export function readPackage(archive: Uint8Array): ComputePackage {
  checkArchiveSize(archive);
  const files = readUstar(readStoredGzip(archive));
  if (!equalBytes(storedGzip(writeUstar(sortedFiles(files))), archive)) {
    throw new PackageError(
      "archive-not-canonical",
      "writing the archive's files again gives other bytes; build it with `fedclave package build`",
    );
  }
  const manifest = checkManifest(files);
  const digest = digestOf(archive);
  return manifest.runtime === "command"
    ? { runtime: manifest.runtime, digest, manifest, files }
    : { runtime: manifest.runtime, digest, manifest, files };
}

function sortedFiles(files: ReadonlyMap<string, Uint8Array>): (readonly [string, Uint8Array])[] {
  if (files.size > MAX_FILES) {
    throw new PackageError("too-many-files", `${files.size} files; at most ${MAX_FILES}`);
  }
  for (const [path, content] of files) {
    if (!isPackagePath(path)) {
      throw new PackageError("path-refused", `${JSON.stringify(path)} is not an allowed path`);
    }
    if (content.byteLength > MAX_FILE_BYTES) {
      throw new PackageError("file-too-large", `${path} has more than ${MAX_FILE_BYTES} bytes`);
    }
  }
  const clash = findClash([...files.keys()]);
  if (clash !== undefined) {
    throw new PackageError("path-repeated", `${clash} stands where another path does`);
  }
  return [...files].sort(([a], [b]) => (a < b ? -1 : 1));
}

function checkArchiveSize(archive: Uint8Array): void {
  if (archive.byteLength > MAX_PACKAGE_BYTES) {
    throw new PackageError("archive-too-large", `more than ${MAX_PACKAGE_BYTES} bytes`);
  }
}

function checkManifest(files: ReadonlyMap<string, Uint8Array>): PackageManifest {
  const bytes = files.get(MANIFEST_PATH);
  if (bytes === undefined) throw new PackageError("manifest-missing", `no ${MANIFEST_PATH}`);
  const manifest = parseManifestFile(bytes);
  for (const path of filesNamedBy(manifest)) {
    if (!files.has(path)) {
      throw new PackageError("file-missing", `${MANIFEST_PATH} names ${path}, which is not there`);
    }
  }
  return manifest;
}
