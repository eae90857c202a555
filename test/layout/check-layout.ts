/** Holds the rules over a tree of sources and lists every violation. Pure, so that tests can give it small trees. */
import { builtinModules } from "node:module";
import path from "node:path";
import {
  FOLDER_RULES,
  FORBIDDEN_TEXT,
  type FolderRules,
  ONE_FILE_PACKAGES,
  TOP_LEVEL_FOLDERS,
} from "./rules.ts";
import { type FoundImport, scanImports, withoutComments } from "./scan-imports.ts";

export type Violation = { readonly file: string; readonly code: string; readonly detail: string };

export type SourceTree = {
  /** By path relative to the repository, with "/"; other files than .ts count for their path only. */
  readonly files: ReadonlyMap<string, string>;
  /** From package.json. */
  readonly dependencies: readonly string[];
  readonly devDependencies: readonly string[];
};

/** Where a file stands: tests and testing/ folders take the place of the folder around them. */
type Place =
  | { readonly kind: "test" }
  | { readonly kind: "testing" }
  | { readonly kind: "root" }
  | { readonly kind: "folder"; readonly folder: string; readonly rules: FolderRules };

const FILE_NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z]+)*\.ts$/;
const FOLDER_NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
const EMPTY_NAMES = /^(?:utils?|common|misc|shared|helpers?|.*manager)\.ts$/;

export function checkLayout(tree: SourceTree): readonly Violation[] {
  const violations: Violation[] = [];
  const loaders = new Map<string, string[]>();
  for (const [file, source] of tree.files) {
    const report = (code: string, detail: string) => violations.push({ file, code, detail });
    const [top, ...rest] = file.split("/");
    if (rest.length > 0 && !TOP_LEVEL_FOLDERS.includes(top ?? "")) {
      report("unknown-folder", `${top} is no top-level folder of STYLE.md`);
      continue;
    }
    if (!file.endsWith(".ts")) continue;
    checkName(file, report);
    const place = placeOf(file);
    if (place === undefined) {
      report("unknown-folder", "no folder of the import table holds this file");
      continue;
    }
    if (place.kind === "folder" && place.rules.trusted) checkText(file, source, report);
    for (const found of scanImports(source)) {
      checkImport(file, place, found, tree, report);
      noteLoader(loaders, file, place, found);
    }
  }
  return [...violations, ...tooManyLoaders(loaders)];
}

function placeOf(file: string): Place | undefined {
  const folders = file.split("/").slice(0, -1);
  if (folders.length === 0) return { kind: "root" };
  if (folders.includes("test")) return { kind: "test" };
  if (folders.includes("testing")) return { kind: "testing" };
  for (let length = folders.length; length > 0; length -= 1) {
    const folder = folders.slice(0, length).join("/");
    const rules = FOLDER_RULES.get(folder);
    if (rules !== undefined) return { kind: "folder", folder, rules };
  }
  return undefined;
}

type Report = (code: string, detail: string) => void;

function checkName(file: string, report: Report): void {
  const folders = file.split("/");
  const name = folders.pop() ?? "";
  if (!FILE_NAME.test(name) || !folders.every((each) => FOLDER_NAME.test(each))) {
    report("not-kebab-case", name);
  }
  if (EMPTY_NAMES.test(name)) report("empty-name", `${name} does not say what one thing it holds`);
}

function checkText(file: string, source: string, report: Report): void {
  const text = withoutComments(source);
  for (const { code, pattern, except } of FORBIDDEN_TEXT) {
    const match = pattern.exec(text);
    if (match !== null && file !== except) report(code, match[0]);
  }
}

function checkImport(
  file: string,
  place: Place,
  { specifier, typeOnly }: FoundImport,
  tree: SourceTree,
  report: Report,
): void {
  if (specifier === undefined) {
    if (place.kind === "folder" && place.rules.trusted) {
      report("computed-import", "trusted code names what it loads");
    }
  } else if (specifier.startsWith(".")) {
    const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier));
    checkOwn(place, target, typeOnly, report);
  } else if (specifier.startsWith("node:") || builtinModules.includes(specifier)) {
    checkBuiltin(place, specifier, report);
  } else {
    checkPackage(place, packageOf(specifier), tree, report);
  }
}

function checkOwn(place: Place, target: string, typeOnly: boolean, report: Report): void {
  if (place.kind === "test") return;
  const to = placeOf(target);
  if (to === undefined) return report("unknown-folder", `imports ${target}`);
  if (to.kind === "test") return report("imports-a-test", target);
  if (place.kind === "testing") return;
  if (to.kind === "testing") return report("imports-a-fake", target);
  if (to.kind === "root") return report("forbidden-folder", `imports ${target}`);
  if (place.kind === "root") return report("forbidden-folder", `the root imports ${target}`);
  const { folder, rules } = place;
  if (to.folder === folder || mayImport(rules, to.folder)) return;
  if (!rules.typesOf?.includes(to.folder)) {
    report("forbidden-folder", `${folder} may not import ${target}`);
  } else if (!typeOnly) {
    report("only-types", `${folder} may take only types of ${to.folder}`);
  }
}

function mayImport({ folders }: FolderRules, folder: string): boolean {
  return folders.includes(folder) || folders.includes("*");
}

function checkBuiltin(place: Place, specifier: string, report: Report): void {
  if (!specifier.startsWith("node:")) report("builtin-without-prefix", specifier);
  if (place.kind !== "folder" || place.rules.builtins.includes("*")) return;
  if (!place.rules.builtins.includes(specifier.replace(/^node:/, ""))) {
    report("forbidden-builtin", `${place.folder} may not import ${specifier}`);
  }
}

function checkPackage(place: Place, name: string, tree: SourceTree, report: Report): void {
  const isShipped = tree.dependencies.includes(name);
  if (!isShipped && !tree.devDependencies.includes(name)) {
    report("undeclared-package", `package.json does not name ${name}`);
  }
  if (place.kind !== "folder") return;
  const { folder, rules } = place;
  if (!rules.packages.includes("*") && !rules.packages.includes(name)) {
    report("forbidden-package", `${folder} may not import ${name}`);
  } else if (rules.trusted && !isShipped) {
    report("undeclared-package", `${name} is bundled and so belongs to "dependencies"`);
  }
}

function packageOf(specifier: string): string {
  const [scope, name] = specifier.split("/");
  return specifier.startsWith("@") ? `${scope}/${name}` : (scope ?? specifier);
}

function noteLoader(
  loaders: Map<string, string[]>,
  file: string,
  place: Place,
  { specifier, typeOnly }: FoundImport,
): void {
  if (place.kind !== "folder" || place.folder === "bench" || typeOnly) return;
  const name = packageOf(specifier ?? "");
  if (!ONE_FILE_PACKAGES.has(name)) return;
  const files = loaders.get(name) ?? [];
  if (!files.includes(file)) loaders.set(name, [...files, file]);
}

function tooManyLoaders(loaders: ReadonlyMap<string, readonly string[]>): Violation[] {
  return [...loaders].flatMap(([name, files]) => {
    const folder = ONE_FILE_PACKAGES.get(name) ?? "";
    const strays = files.filter((file) => !file.startsWith(`${folder}/`));
    const extra = files.filter((file) => file.startsWith(`${folder}/`)).slice(1);
    return [...strays, ...extra].map((file) => ({
      file,
      code: "loaded-by-several",
      detail: `${name} is loaded by one file of ${folder} alone`,
    }));
  });
}
