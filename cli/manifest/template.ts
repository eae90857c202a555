/** What `fedclave manifest init` writes: a manifest with every field, said what each is for, to be filled in. */
import type { Name } from "../../lib/base/ids.ts";
import type { Environment } from "../../lib/federation/manifest/manifest.ts";

/** What an author decides before the first line. */
export type TemplateChoices = {
  readonly name: Name;
  readonly environment: Environment;
  /** At least one. */
  readonly organizations: readonly Name[];
};

/** YAML in which every key and measurement is referred to by a file that its owner provides. */
export function manifestTemplate({ name, environment, organizations }: TemplateChoices): string {
  const [first] = organizations;
  const listed = organizations.join(", ");
  return `# The agreement of all parties. Every field is needed; nothing is accepted by being left out.
# \`fedclave manifest check\` says what is missing or wrong, \`build\` makes the bytes that are compared and signed.
kind: fedclave/manifest
version: 2
name: ${name}
environment: ${environment}       # production: only the vendors' roots, and nothing a host could look into
epoch: 1                      # one more with every change
previousDigest: null          # later: {file: the manifest before, as it was built}

# Whoever signs changes, and how many of them must.
admins:
  threshold: 1
  keys:
    - {name: admin, publicKey: {file: keys/admin.pub.pem}}

# Whoever owns data or machines: each signs its own members in.
organizations:
${organizations.map(organizationLines).join("\n")}

# Who may act in each role: one entry that holds is enough.
roles:
  reducer:
    - kind: onprem            # outside of an enclave: the process that holds this key
      name: on-premises
      publicKey: {file: keys/reducer.pub.pem}
  combiner:
    - kind: sgx
      name: combiner-1-0
      anchor: intel           # or amd-milan, amd-genoa, amd-turin, or {file: root.pem}
      measurement: {kind: mrenclave, mrEnclave: {file: combiner.mrenclave}}
      # Bits that are set in the mask must be as in the value: initialized, 64-bit, not for debugging.
      attributes: {value: "05000000000000000000000000000000", mask: "ffffffffffffffff0000000000000000"}
      miscSelect: {value: "00000000", mask: "ffffffff"}
      configId: "${"0".repeat(128)}"
      minConfigSvn: 0
      isvExtProdId: "${"0".repeat(32)}"
      isvFamilyId: "${"0".repeat(32)}"
      tcb:
        accepted:             # Intel's grades, and which of Intel's advisories may be open in each
          - {status: UpToDate, advisories: []}
          - {status: SWHardeningNeeded, advisories: [INTEL-SA-00615]}
        refusedAdvisories: []
        graceDays: 14         # so long after Intel published what a platform misses
        minEvaluationNumber: 19
      platforms: {any: true, because: any machine of the cloud may run it}
    - kind: onprem
      name: own-machines
      organizations: [${first}]
  client:
    - kind: onprem            # outside of an enclave: the statement of its organization is enough
      name: on-premises
      organizations: [${listed}]

# Whose signature on a compute package counts.
packages:
  publishers: {any: true, because: packages are not signed yet}

# On which terms models leave the federation. A session may be stricter.
release:
  minOrganizations: ${organizations.length}
  minClients: ${Math.max(2, organizations.length)}
  weightCap: 4096             # most examples that one update may count for
  clientMetrics: [{kind: own-organization}]
  models: [{kind: admins}]
  privacy: {kind: none, because: the organizations trust each other}

# Who countersigns the history, and how many of them must.
witnesses: {quorum: 0, keys: []}
`;
}

const organizationLines = (name: Name): string =>
  `  - name: ${name}
    publicKey: {file: keys/${name}.pub.pem}
    mayEnrol: [combiner, client]`;
