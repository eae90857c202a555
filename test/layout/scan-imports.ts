/** Finds what a TypeScript source imports, by its text: enough for sources that Biome has laid out. */

export type FoundImport = {
  /** As written; undefined where it is computed at run time. */
  readonly specifier: string | undefined;
  /** `import type` or `export type`: nothing is loaded. An inline `{ type X }` still loads the module. */
  readonly typeOnly: boolean;
};

const STATIC = /^[ \t]*(?:import|export)\s+(type\s+)?(?:[^"'`;]*?\sfrom\s*)?["']([^"']+)["']/gm;
const DYNAMIC =
  /\b(?:import|require|require\.resolve|getBuiltinModule)\s*\(\s*(?:["'`]([^"'`$]+)["'`]\s*[,)])?/g;
/** Strings are matched first, so that a comment sign inside one does not begin a comment. */
const STRING_OR_COMMENT =
  /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;

/** Every static and dynamic import, re-export and `require` of a source. */
export function scanImports(source: string): readonly FoundImport[] {
  const text = withoutComments(source);
  const found: FoundImport[] = [];
  for (const [, type, specifier] of text.matchAll(STATIC)) {
    found.push({ specifier, typeOnly: type !== undefined });
  }
  for (const [, specifier] of text.matchAll(DYNAMIC)) found.push({ specifier, typeOnly: false });
  return found;
}

/** The source with every comment replaced by a space. */
export function withoutComments(source: string): string {
  return source.replace(STRING_OR_COMMENT, (_match, string?: string) => string ?? " ");
}
