/** The machine that is simulated: what an honest one is made of. */
import { concatBytes, sha256, utf8 } from "../../../base/bytes.ts";
import { assertInvariant } from "../../../base/refusal.ts";
import type { SnpProduct, SnpTcb } from "../../evidence/snp-tcb.ts";
import type { TdxVersion } from "../../evidence/td-report.ts";
import type { PckCa } from "./authorities/dcap-authority.ts";
import { tcbVersion } from "./formats/snp-report-writer.ts";
import type { DevelopmentRoot } from "./root/development-root.ts";

/** An SGX or TDX platform. */
export type DcapSettings = {
  readonly tee: "sgx" | "tdx";
  /** 3 is SGX's only. */
  readonly quoteVersion: 3 | 4 | 5;
  /** Of TDs; "1.5" takes a quote of version 5. */
  readonly tdReport: TdxVersion;
  readonly pckCa: PckCa;
  /** 6 bytes. */
  readonly fmspc: Uint8Array;
  /** 2 bytes. */
  readonly pceId: Uint8Array;
  /** 16 bytes each; they name the machine. */
  readonly ppid: Uint8Array;
  readonly platformInstanceId: Uint8Array;
  readonly dynamicPlatform: boolean;
  readonly cachedKeys: boolean;
  readonly smtEnabled: boolean;
  /** 16 security versions of the processor and its microcode, 0 to 253. */
  readonly components: readonly number[];
  readonly pceSvn: number;
  /** 16 bytes: version of the TDX module, its generation (0 before TDX 1.5), then of what is beneath. */
  readonly teeTcbSvn: Uint8Array;
  /** TDX 1.5: 16 bytes, of a module that was loaded while domains ran. The same as above unless one was. */
  readonly teeTcbSvn2: Uint8Array;
};

/** An SEV-SNP platform. */
export type SnpSettings = {
  readonly tee: "sev-snp";
  readonly product: SnpProduct;
  /** Turin begins with 3. */
  readonly reportVersion: 2 | 3 | 4 | 5;
  readonly signingKey: "vcek" | "vlek";
  /** 64 bytes; on Turin all but 8 are zero. */
  readonly chipId: Uint8Array;
  /** Current, reported, committed and at launch. */
  readonly tcb: SnpTcb;
};

type Chosen<Settings extends { readonly tee: string }> = Pick<Settings, "tee"> &
  Partial<Settings> & {
    /** Machines of different names are different ones; unset: the one that this installation has. */
    readonly machine?: string;
  };

/** A TEE, and whatever of its machine somebody cares about. */
export type PlatformChoice = Chosen<DcapSettings> | Chosen<SnpSettings>;

const DEFAULT_MACHINE = "development machine";
/** Hex that no FMSPC of Intel's begins with. */
const FMSPC = Uint8Array.of(0xfe, 0xdc, 0x1a, 0x0e, 0x00, 0x00);
const COMPONENTS = [7, 9, 3, 3, 200, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0];
/** Module 1.5 at version 5. */
const TEE_TCB_SVN = Uint8Array.of(5, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
const SNP_TCBS: Readonly<Record<SnpProduct, SnpTcb>> = {
  Milan: { bootloader: 4, tee: 0, snp: 24, microcode: 219 },
  Genoa: { bootloader: 10, tee: 0, snp: 23, microcode: 84 },
  Turin: { fmc: 1, bootloader: 2, tee: 1, snp: 4, microcode: 75 },
};

/** An SGX or TDX platform, complete. */
export function dcapSettings(root: DevelopmentRoot, choice: Chosen<DcapSettings>): DcapSettings {
  const { machine = DEFAULT_MACHINE, ...chosen } = choice;
  const settings: DcapSettings = {
    quoteVersion: choice.tee === "sgx" ? 3 : 4,
    tdReport: "1.0",
    pckCa: "platform",
    fmspc: FMSPC,
    pceId: new Uint8Array(2),
    ppid: identifier(root, machine, "ppid", 16),
    platformInstanceId: identifier(root, machine, "platform instance", 16),
    dynamicPlatform: true,
    cachedKeys: true,
    smtEnabled: true,
    components: COMPONENTS,
    pceSvn: 13,
    teeTcbSvn: TEE_TCB_SVN,
    teeTcbSvn2: choice.teeTcbSvn ?? TEE_TCB_SVN,
    ...chosen,
  };
  assertInvariant(settings.tee === "sgx" || settings.quoteVersion !== 3, "no TD has a quote v3");
  assertInvariant(
    settings.tdReport === "1.0" || settings.quoteVersion === 5,
    "a TD 1.5 report takes a quote v5",
  );
  return settings;
}

/** An SEV-SNP platform, complete. */
export function snpSettings(root: DevelopmentRoot, choice: Chosen<SnpSettings>): SnpSettings {
  const { machine = DEFAULT_MACHINE, ...chosen } = choice;
  const product = choice.product ?? "Milan";
  const idBytes = product === "Turin" ? 8 : 64;
  const id = identifier(root, machine, "chip", idBytes);
  const settings: SnpSettings = {
    product,
    reportVersion: 3,
    signingKey: "vcek",
    chipId: concatBytes(id, new Uint8Array(64 - idBytes)),
    tcb: SNP_TCBS[product],
    ...chosen,
  };
  assertInvariant(product !== "Turin" || settings.reportVersion >= 3, "Turin reports begin at v3");
  return settings;
}

/** Names the key of a chip at its TCB: another TCB has another VCEK. */
export const chipKeyName = ({ product, signingKey, chipId, tcb }: SnpSettings): string =>
  [product, signingKey, ...chipId, "at", ...tcbVersion(product, tcb)].join("/");

/** Up to 64 bytes that stay the same for a machine of an installation. */
function identifier(
  root: DevelopmentRoot,
  machine: string,
  what: string,
  length: number,
): Uint8Array {
  const half = (number: number) => sha256(utf8(`${what}/${number}/${machine}`), root.dcap.root);
  return concatBytes(half(0), half(1)).subarray(0, length);
}
