import { checkIdentity } from "./check-identity.ts";
import {
  isEnclave,
  type OnPremMember,
  ORGANIZATION_ROLES,
  type OrganizationRole,
} from "./manifest.ts";
import { type ManifestProblem, type Path, problem } from "./problems.ts";
import type { Sound } from "./sound.ts";

const ROLES = ["reducer", ...ORGANIZATION_ROLES] as const;

/** Every role can be filled, and by nobody whom the manifest does not know. */
export const checkRoles = (sound: Sound): readonly ManifestProblem[] =>
  ROLES.flatMap((role) => [
    ...checkAccepted(sound, role),
    ...checkNames(sound, role),
    ...(role === "reducer" ? [] : checkOnPrem(sound, role)),
  ]);

/** What is ill-formed in an entry does not keep the rest of it, or the others, from being looked at. */
function checkAccepted(sound: Sound, role: (typeof ROLES)[number]): ManifestProblem[] {
  const { manifest, isSound, lengthAt } = sound;
  const path = ["roles", role];
  const count = lengthAt(...path);
  if (isSound(...path) && count === 0) {
    return [problem("nobody-accepted", path, `nobody could ever be a ${role}`)];
  }
  return Array.from({ length: count }).flatMap((_, index) => {
    const at = [...path, index];
    const entry = isSound(...at, "kind") ? manifest.roles[role][index] : undefined;
    return entry !== undefined && isEnclave(entry) ? checkIdentity(at, entry, sound) : [];
  });
}

function checkNames({ manifest, isSound }: Sound, role: (typeof ROLES)[number]): ManifestProblem[] {
  if (!isSound("roles", role)) return [];
  const names = manifest.roles[role].map((each) => each.name);
  return names.flatMap((name, index) =>
    names.indexOf(name) === index
      ? []
      : [problem("duplicate-name", ["roles", role, index, "name"], `${name} is named twice`)],
  );
}

/** Organizations whose word is enough are known, and may enrol that role. */
function checkOnPrem(sound: Sound, role: OrganizationRole): ManifestProblem[] {
  const { manifest, isSound } = sound;
  if (!isSound("roles", role) || !isSound("organizations")) return [];
  const able = manifest.organizations.filter((each) => each.mayEnrol.includes(role));
  const problems =
    able.length === 0
      ? [problem("nobody-accepted", ["roles", role], `no organization may enrol a ${role}`)]
      : [];
  const checked = manifest.roles[role].flatMap((entry, index) =>
    isEnclave(entry) ? [] : checkOrganizations(["roles", role, index], entry, able, role),
  );
  return [...problems, ...checked];
}

function checkOrganizations(
  path: Path,
  entry: OnPremMember,
  able: readonly { readonly name: string }[],
  role: OrganizationRole,
): ManifestProblem[] {
  const { organizations } = entry;
  if (organizations.length === 0) {
    const message = "no organization is listed, so this entry accepts nobody";
    return [problem("nobody-accepted", [...path, "organizations"], message)];
  }
  return organizations.flatMap((name, index) => {
    const at = [...path, "organizations", index];
    if (organizations.indexOf(name) !== index) {
      return [problem("listed-twice", at, `${name} is listed twice`)];
    }
    return able.some((each) => each.name === name)
      ? []
      : [
          problem(
            "unknown-organization",
            at,
            `${name} is no organization that may enrol a ${role}`,
          ),
        ];
  });
}
