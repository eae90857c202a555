import type { Digest } from "../../lib/base/ids.ts";
import type { Manifest } from "../../lib/federation/manifest/manifest.ts";
import { renderFields } from "../rendering/table.ts";

const GROUP_LENGTH = 4;
const GROUPS_PER_LINE = 4;

/** "oncology, epoch 3, production". */
export const manifestTitle = ({ name, epoch, environment }: Manifest): string =>
  `${name}, epoch ${epoch}, ${environment}`;

/** What parties read to each other: whoever hears the same sixteen groups holds the same bytes. */
export function digestLines(manifest: Manifest, digest: Digest): string[] {
  const groups = digest.match(new RegExp(`.{${GROUP_LENGTH}}`, "g")) ?? [];
  const lines = Array.from({ length: groups.length / GROUPS_PER_LINE }, (_, index) =>
    groups.slice(index * GROUPS_PER_LINE, (index + 1) * GROUPS_PER_LINE).join(" "),
  );
  return renderFields([
    ["manifest", manifestTitle(manifest)],
    ["digest", digest],
    ...lines.map((line, index) => [index === 0 ? "aloud" : "", line] as const),
  ]);
}
