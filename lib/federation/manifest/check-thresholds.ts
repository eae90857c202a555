import { type ManifestProblem, problem } from "./problems.ts";
import type { Sound } from "./sound.ts";

/** What must be counted together can be reached, and the manifest says rightly whether it replaces another. */
export const checkThresholds = (sound: Sound): readonly ManifestProblem[] => [
  ...checkAdmins(sound),
  ...checkWitnesses(sound),
  ...checkPredecessor(sound),
];

function checkAdmins({ manifest, isSound }: Sound): ManifestProblem[] {
  if (!isSound("admins")) return [];
  const { keys, threshold } = manifest.admins;
  if (threshold <= keys.length) return [];
  const message = `${threshold} signatures are demanded of ${keys.length} admin keys`;
  return [problem("threshold-too-high", ["admins", "threshold"], message)];
}

function checkWitnesses({ manifest, isSound }: Sound): ManifestProblem[] {
  if (!isSound("witnesses")) return [];
  const { keys, quorum } = manifest.witnesses;
  if (quorum <= keys.length) return [];
  const message = `${quorum} countersignatures are demanded of ${keys.length} witnesses`;
  return [problem("quorum-too-high", ["witnesses", "quorum"], message)];
}

function checkPredecessor({ manifest, isSound }: Sound): ManifestProblem[] {
  if (!isSound("epoch") || !isSound("previousDigest")) return [];
  const { epoch, previousDigest } = manifest;
  if ((epoch === 1) === (previousDigest === null)) return [];
  const message =
    epoch === 1
      ? "epoch 1 replaces no manifest: null"
      : `epoch ${epoch} replaces a manifest: its digest is missing`;
  return [problem("wrong-predecessor", ["previousDigest"], message)];
}
