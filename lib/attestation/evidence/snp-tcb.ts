/** What an SNP product is: its processors, and what the eight bytes of its TCB_VERSION mean (AMD 56860 §2.2). */
import type { SnpCpu, SnpReport } from "./snp-report.ts";

/** A line of EPYC processors, named as AMD names its root keys. */
export type SnpProduct = "Milan" | "Genoa" | "Turin";

/** Security versions of an SNP platform; fmc only from Turin on. */
export type SnpTcb = {
  readonly fmc?: number;
  readonly bootloader: number;
  readonly tee: number;
  readonly snp: number;
  readonly microcode: number;
};

/** A component of the TCB; "reserved" bytes have had no meaning yet. */
type TcbComponent = keyof SnpTcb | "reserved";

const EPYC_7003_9004: readonly TcbComponent[] = [
  "bootloader",
  "tee",
  "reserved",
  "reserved",
  "reserved",
  "reserved",
  "snp",
  "microcode",
];

const EPYC_9005: readonly TcbComponent[] = [
  "fmc",
  "bootloader",
  "tee",
  "snp",
  "reserved",
  "reserved",
  "reserved",
  "microcode",
];

/** Each byte of a TCB_VERSION in order. */
const TCB_LAYOUTS: Readonly<Record<SnpProduct, readonly TcbComponent[]>> = {
  Milan: EPYC_7003_9004,
  Genoa: EPYC_7003_9004,
  Turin: EPYC_9005,
};

/** Processors of a product: CPUID family and ranges of models, ends included. */
const CPUS: readonly {
  readonly product: SnpProduct;
  readonly family: number;
  readonly models: readonly (readonly [first: number, last: number])[];
}[] = [
  { product: "Milan", family: 0x19, models: [[0x00, 0x0f]] },
  // The second range is Bergamo and Siena, whose certificates AMD issues as Genoa's.
  {
    product: "Genoa",
    family: 0x19,
    models: [
      [0x10, 0x1f],
      [0xa0, 0xaf],
    ],
  },
  { product: "Turin", family: 0x1a, models: [[0x00, 0x1f]] },
];

/** The product a processor belongs to; undefined if none that we know. */
export const productOfCpu = (cpu: SnpCpu): SnpProduct | undefined =>
  CPUS.find(
    ({ family, models }) =>
      cpu.family === family &&
      models.some(([first, last]) => first <= cpu.model && cpu.model <= last),
  )?.product;

/** The product as a report says itself, from version 3 on; not verified. */
export const productOfReport = (report: SnpReport): SnpProduct | undefined =>
  report.cpu && productOfCpu(report.cpu);

/** Security versions of a TCB_VERSION. @param bytes  8 bytes as the report has them */
export function readTcb(bytes: Uint8Array, product: SnpProduct): SnpTcb {
  const at = (component: TcbComponent): number =>
    bytes[TCB_LAYOUTS[product].indexOf(component)] ?? 0;
  return {
    ...(product === "Turin" && { fmc: at("fmc") }),
    bootloader: at("bootloader"),
    tee: at("tee"),
    snp: at("snp"),
    microcode: at("microcode"),
  };
}
