/** The shell scripts that run inside a sandbox, and what they say on fd 3. */
import { CommandError } from "./command-error.ts";

/**
 * Copies the package, runs startup and the command in the copy as FEDn does (bash -c with the arguments appended), and
 * hands over the files that are wanted. Nothing that the command leaves behind is opened outside of the sandbox.
 * Arguments: source, package, startup ("" for none), command, then the files. A startup that fails is no reason to
 * stop: those of FEDn's examples download data, for which there is no network here and which the owner has given.
 *
 * On fd 3: "begun"; "startup N" if it failed; then "exit N" if the command did, "full" before it if there is no room
 * left, "missing" for a file that is not there, or for each file "file SIZE" with as many bytes behind it, and "end".
 */
export const RUN_COMMAND = `
source=$1 package=$2 startup=$3 line=$4
shift 4
say() { printf '%s\\n' "$1" >&3; }
say begun
failed() {
  set -- "$1" $(stat -f -c '%a %d' . 2>/dev/null)
  if [ "\${2:-16}" -lt 16 ] || [ "\${3:-1}" -lt 1 ]; then say full; fi
  say "$1"
  exit 1
}
cp -R "$source/." "$package" && cd "$package" || failed 'exit 1'
shell=$(command -v bash || command -v sh)
if [ -n "$startup" ]; then
  "$shell" -c "$startup" < /dev/null 3>&- || {
    status=$?
    say "startup $status"
    echo "[startup ended with status $status; going on]" >&2
  }
fi
"$shell" -c "$line" < /dev/null 3>&- || failed "exit $?"
for file; do
  [ -f "$file" ] || failed missing
  size=$(stat -L -c %s -- "$file")
  say "file $size"
  head -c "$size" -- "$file" >&3
done
say end
`;

/**
 * Makes a virtual environment. Arguments: source, package, environment, lines for pip to build with, lines to install.
 * On fd 3 as above.
 */
export const MAKE_ENVIRONMENT = `
source=$1 package=$2 environment=$3 build=$4 run=$5
printf 'begun\\n' >&3
set -e
cp -R "$source/." "$package"
cd "$package"
if [ -z "$build$run" ]; then
  python3 -m venv --without-pip "$environment"
else
  python3 -m venv "$environment"
  for lines in "$build" "$run"; do
    [ -n "$lines" ] || continue
    printf '%s\\n' "$lines" > fedclave-requirements.txt
    "$environment/bin/python" -m pip install --no-input --disable-pip-version-check \\
      -r fedclave-requirements.txt 3>&-
  done
fi
printf 'end\\n' >&3
`;

export type ScriptResult = {
  /** Lines without their files: "begun", "exit 1", … */
  readonly lines: readonly string[];
  readonly files: readonly Uint8Array[];
};

/**
 * Reads what a script said. The command may have written there too: everything is bounded and nothing believed.
 * @throws CommandError "result-malformed"
 */
export function readScriptResult(result: Uint8Array): ScriptResult {
  const lines: string[] = [];
  const files: Uint8Array[] = [];
  for (let at = 0; at < result.byteLength; ) {
    const end = result.indexOf(0x0a, at);
    if (end < 0 || end - at > MAX_LINE_BYTES) throw malformed();
    const line = Buffer.from(result.subarray(at, end)).toString("latin1");
    at = end + 1;
    const size = /^file (0|[1-9][0-9]{0,11})$/.exec(line)?.[1];
    if (size === undefined) {
      lines.push(line);
      if (lines.length > MAX_LINES) throw malformed();
      continue;
    }
    if (at + Number(size) > result.byteLength) throw malformed();
    files.push(result.subarray(at, at + Number(size)));
    at += Number(size);
  }
  return { lines, files };
}

const MAX_LINE_BYTES = 64;
const MAX_LINES = 64;

const malformed = (): CommandError =>
  new CommandError("result-malformed", "what the sandbox handed over is cut off or no result");
