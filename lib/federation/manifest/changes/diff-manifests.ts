/** What changes from one manifest to the next, and whether it lets in more or less than before. */
import type { EnclaveIdentity } from "../../../attestation/appraisal/identity.ts";
import type {
  AcceptedMember,
  AcceptedReducer,
  Environment,
  Manifest,
  MetricReader,
  ModelReader,
  NamedKey,
  OnPremMember,
  OnPremReducer,
  Organization,
  PrivacyFloor,
  ReleaseRules,
  Roles,
} from "../manifest.ts";
import { type Change, type Comparator, changed } from "./change.ts";
import { admits, byKey, entries, fields, variants } from "./compare-groups.ts";
import { identifying, maximum, minimum, neutral, orAnything, wanted } from "./compare-values.ts";
import { anchorText, sgxChanges, snpChanges, tdxChanges } from "./identity-changes.ts";

/** Every field that differs, in the order of the schema; empty exactly if both are the same bytes. */
export const diffManifests = (before: Manifest, after: Manifest): readonly Change[] =>
  manifestChanges(before, after, "");

const namedKey = fields<NamedKey>({
  name: identifying(),
  publicKey: wanted("another key signs under this name"),
});
const namedKeys = (added: string, removed: string): Comparator<readonly NamedKey[]> =>
  byKey(({ name }) => name, admits(added, removed), namedKey, keyText);

const keyText = ({ publicKey }: { readonly publicKey: string }): string => publicKey;

const organization = fields<Organization>({
  name: identifying(),
  publicKey: wanted("another key signs members in under this name"),
  mayEnrol: entries(
    admits("it may sign in members of this role", "its members of this role are refused"),
  ),
});

const ANOTHER_KIND = "another kind of proof is accepted under this name";
const enclaves = { sgx: sgxChanges, tdx: tdxChanges, "sev-snp": snpChanges };
const IDENTITIES = admits(
  "more is accepted in this role than before",
  "what was accepted in this role is refused",
);

/** What is accepted, for a line of its own. */
const acceptedText = (accepted: AcceptedReducer | AcceptedMember): string => {
  if (accepted.kind !== "onprem") return enclaveText(accepted);
  return "publicKey" in accepted
    ? `onprem ${accepted.publicKey}`
    : `onprem ${accepted.organizations.join(" ")}`;
};

const enclaveText = (identity: EnclaveIdentity): string =>
  `${identity.kind} under ${anchorText(identity.anchor)}`;

const roles = fields<Roles>({
  reducer: byKey(
    ({ name }) => name,
    IDENTITIES,
    variants<AcceptedReducer>(wanted(ANOTHER_KIND, acceptedText), {
      onprem: fields<OnPremReducer>({
        kind: identifying(),
        name: identifying(),
        publicKey: wanted("the holder of another key may be the reducer"),
      }),
      ...enclaves,
    }),
    acceptedText,
  ),
  combiner: members(),
  client: members(),
});

function members(): Comparator<readonly AcceptedMember[]> {
  const onprem = fields<OnPremMember>({
    kind: identifying(),
    name: identifying(),
    organizations: entries(
      admits(
        "members of this organization need no enclave",
        "members of this organization must be in an enclave, if any is accepted",
      ),
    ),
  });
  const member = variants<AcceptedMember>(wanted(ANOTHER_KIND, acceptedText), {
    onprem,
    ...enclaves,
  });
  return byKey(({ name }) => name, IDENTITIES, member, acceptedText);
}

const privacyCrossing: Comparator<PrivacyFloor> = (before, after, place) =>
  changed(
    [before, after],
    place,
    after.kind === "none"
      ? ["loosening", "models may leave without noise"]
      : ["tightening", "models leave only with noise"],
  );

const metricReaders = entries<MetricReader>(
  admits("more get to see figures of single clients", "fewer see figures of single clients"),
);
const modelReaders = entries<ModelReader>(admits("more may take models", "fewer may take models"));

const release = fields<ReleaseRules>({
  minOrganizations: minimum(
    "an aggregate needs updates of more organizations",
    "an aggregate may consist of fewer organizations' updates, and tells more about each",
  ),
  minClients: minimum(
    "an aggregate needs updates of more clients",
    "an aggregate may consist of fewer clients' updates, and tells more about each",
  ),
  weightCap: maximum(
    "one update can dominate an aggregate less",
    "one update can dominate an aggregate more",
  ),
  clientMetrics: orAnything("who sees figures of single clients", metricReaders),
  models: orAnything("who takes models", modelReaders),
  privacy: variants<PrivacyFloor>(privacyCrossing, {
    none: fields({ kind: identifying(), because: neutral("only the reason reads differently") }),
    "central-noise": fields({
      kind: identifying(),
      minNoiseMultiplier: minimum("more noise hides single examples", "less noise is enough"),
      maxClipNorm: maximum("updates are clipped further", "one update may weigh more"),
      maxEpsilon: maximum("less privacy is spent", "more privacy may be spent"),
      maxDelta: maximum("less privacy is spent", "more privacy may be spent"),
    }),
  }),
});

const environment: Comparator<Environment> = (before, after, place) =>
  changed(
    [before, after],
    place,
    after === "production"
      ? ["tightening", "development roots and debugging are refused from now on"]
      : ["loosening", "development roots and debugging could be accepted"],
  );

const epoch: Comparator<number> = (before, after, place) =>
  changed(
    [before, after],
    place,
    after > before
      ? ["neutral", "every change counts on"]
      : ["loosening", "an older agreement would come back; members refuse it"],
  );

const manifestChanges = fields<Manifest>({
  name: neutral("the name is for people"),
  environment,
  epoch,
  previousDigest: neutral("it says which manifest is replaced"),
  admins: fields<Manifest["admins"]>({
    keys: namedKeys("one more may sign changes", "one fewer may sign changes"),
    threshold: minimum("more admins must agree to a change", "fewer admins must agree to a change"),
  }),
  organizations: byKey(
    ({ name }) => name,
    admits("one more organization takes part", "its members are refused"),
    organization,
    keyText,
  ),
  roles,
  packages: fields<Manifest["packages"]>({
    publishers: orAnything(
      "who signed a compute package",
      namedKeys("packages of one more publisher are run", "this publisher's packages are refused"),
    ),
  }),
  release,
  witnesses: fields<Manifest["witnesses"]>({
    keys: namedKeys("one more may countersign", "one fewer may countersign"),
    quorum: minimum(
      "more witnesses must have seen the same history",
      "fewer witnesses must have seen the same history",
    ),
  }),
});
