/** A development root in a folder of the installation: made on first use, readable by nobody else, never shipped. */
import path from "node:path";
import type { Clock } from "../../../../base/clock.ts";
import type { UnixMs } from "../../../../base/ids.ts";
import type { Randomness } from "../../../../base/randomness.ts";
import { createSnpAuthority, generateSnpKeys } from "../authorities/snp-authority.ts";
import {
  createDevelopmentRoot,
  type DevelopmentRoot,
  restoreDevelopmentRoot,
} from "./development-root.ts";
import {
  readKeptRoot,
  readSnpMaterial,
  writeKeptRoot,
  writeSnpMaterial,
} from "./development-root-format.ts";
import { loadOrCreate, requirePrivateFolder } from "./private-file.ts";

/**
 * The root of an installation. Of several processes that make it at once, all get the same one.
 *
 * @param directory  made with mode 0700 if it is not there; not inside a repository
 * @throws DevelopmentRootError "root-misplaced" inside a repository or our own package, `dist` included |
 *   "root-exposed" when others have any right to the folder or a file | "root-broken" when a file is not one that this
 *   code wrote | "root-unreadable" when the medium fails
 */
export async function openDevelopmentRoot(
  directory: string,
  clock: Pick<Clock, "untrustedNowMs">,
  randomness: Randomness,
): Promise<DevelopmentRoot> {
  const folder = await requirePrivateFolder(directory);
  const text = await loadOrCreate(path.join(folder, "root.json"), randomness, async () => {
    // Files keep whole seconds, as certificates do.
    const nowMs = (Math.floor(clock.untrustedNowMs() / 1000) * 1000) as UnixMs;
    return writeKeptRoot(createDevelopmentRoot({ randomness, nowMs }));
  });
  const kept = readKeptRoot(text);
  return restoreDevelopmentRoot(kept, async (product) => {
    const file = path.join(folder, `snp-${product.toLowerCase()}.json`);
    const snp = await loadOrCreate(file, randomness, async () =>
      writeSnpMaterial(createSnpAuthority(await generateSnpKeys(), product, kept.createdAtMs)),
    );
    return readSnpMaterial(snp);
  });
}
