/** Real evidence of vendors, shared between projects and never copied into this one. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FOLDER = new URL("../../../../shared/testdata/attestation/", import.meta.url);

/** Whether the folder is there; tests that need it are skipped elsewhere and say so. */
export const hasTestdata: boolean = existsSync(new URL("cases.json", FOLDER));

/** Path of one of its files: "snp/turin-vcek.der". */
export const testdataPath = (file: string): string => fileURLToPath(new URL(file, FOLDER));

/** Bytes of one of its files. */
export const readTestdata = (file: string): Uint8Array =>
  new Uint8Array(readFileSync(testdataPath(file)));

/** Text of one of its files. */
export const readTestdataText = (file: string): string => readFileSync(testdataPath(file), "utf8");
