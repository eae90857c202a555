import { createPublicKey } from "node:crypto";
import { isAnything } from "../../attestation/appraisal/anything.ts";
import { fromBase64 } from "../../base/base64.ts";
import { KeyError, parsePublicKey } from "../../base/keys.ts";
import type { NamedKey } from "./manifest.ts";
import { type ManifestProblem, type Path, problem } from "./problems.ts";
import type { Sound } from "./sound.ts";

type PlacedKey = { readonly path: Path; readonly key: NamedKey };

/** Keys are keys, and whoever signs has one name and one key. */
export function checkKeys(sound: Sound): readonly ManifestProblem[] {
  const { admins, organizations, publishers, witnesses } = namedKeys(sound);
  const parties = [...admins, ...organizations];
  const everyone = [...parties, ...publishers, ...witnesses];
  return [
    ...everyone.flatMap(({ path, key }) => checkPublicKey(path, key)),
    ...reducerKeys(sound).flatMap(({ path, key }) => checkAuthorityKey(path, key.publicKey)),
    ...checkUnique(parties),
    ...checkUnique(publishers),
    ...checkUnique(witnesses),
    ...checkSameParty(parties, [...publishers, ...witnesses]),
  ];
}

function namedKeys({ manifest, isSound }: Sound) {
  const placed = (keys: () => readonly NamedKey[], ...path: Path): PlacedKey[] =>
    isSound(...path) ? keys().map((key, index) => ({ path: [...path, index], key })) : [];
  const publishers = () => {
    const listed = manifest.packages.publishers;
    return isAnything(listed) ? [] : listed;
  };
  return {
    admins: placed(() => manifest.admins.keys, "admins", "keys"),
    organizations: placed(() => manifest.organizations, "organizations"),
    publishers: placed(publishers, "packages", "publishers"),
    witnesses: placed(() => manifest.witnesses.keys, "witnesses", "keys"),
  };
}

function reducerKeys({ manifest, isSound }: Sound): PlacedKey[] {
  if (!isSound("roles", "reducer")) return [];
  return manifest.roles.reducer.flatMap((key, index) =>
    key.kind === "onprem" ? [{ path: ["roles", "reducer", index], key }] : [],
  );
}

function checkPublicKey(path: Path, { name, publicKey }: NamedKey): ManifestProblem[] {
  try {
    parsePublicKey(fromBase64(publicKey) ?? new Uint8Array());
    return [];
  } catch (cause) {
    if (!(cause instanceof KeyError)) throw cause;
    return [
      problem("bad-key", [...path, "publicKey"], `the key of ${name} is no P-256 public key`),
    ];
  }
}

function checkAuthorityKey(path: Path, publicKey: string): ManifestProblem[] {
  return isAuthorityKey(fromBase64(publicKey) ?? new Uint8Array())
    ? []
    : [problem("bad-key", [...path, "publicKey"], "the key of a reducer is no P-384 public key")];
}

/** Whether these are the 120 bytes of a P-384 SubjectPublicKeyInfo with an uncompressed point: one key, one spelling. */
function isAuthorityKey(der: Uint8Array): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" });
    const isP384 = key.asymmetricKeyDetails?.namedCurve === "secp384r1";
    return isP384 && key.export({ format: "der", type: "spki" }).equals(der);
  } catch {
    return false;
  }
}

/** Within one group, no name and no key twice. */
function checkUnique(keys: readonly PlacedKey[]): ManifestProblem[] {
  const names = keys.map(({ key }) => key.name);
  const publicKeys = keys.map(({ key }) => key.publicKey);
  return keys.flatMap(({ path, key: { name, publicKey } }, index) => {
    if (names.indexOf(name) !== index) {
      return [problem("duplicate-name", [...path, "name"], `${name} is named twice`)];
    }
    const owner = names[publicKeys.indexOf(publicKey)] ?? name;
    return owner === name ? [] : [anothersKey(path, owner)];
  });
}

/** A publisher or witness may be a party as well, if it is the same one: by name and by key. */
function checkSameParty(
  parties: readonly PlacedKey[],
  others: readonly PlacedKey[],
): ManifestProblem[] {
  const names = new Map(parties.toReversed().map(({ key }) => [key.name, key.publicKey]));
  const owners = new Map(parties.toReversed().map(({ key }) => [key.publicKey, key.name]));
  return others.flatMap(({ path, key: { name, publicKey } }) => {
    const known = names.get(name) ?? publicKey;
    const owner = owners.get(publicKey) ?? name;
    if (known !== publicKey) {
      const message = `${name} has another key elsewhere in the manifest`;
      return [problem("duplicate-name", [...path, "name"], message)];
    }
    return owner === name ? [] : [anothersKey(path, owner)];
  });
}

const anothersKey = (path: Path, owner: string): ManifestProblem =>
  problem("duplicate-key", [...path, "publicKey"], `this is the key of ${owner}`);
