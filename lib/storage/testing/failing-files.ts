import type { FileHandle } from "node:fs/promises";
import { type FileSystem, systemFiles } from "../file/durable-file.ts";

export type FailingFiles = FileSystem & {
  /** From now on the n-th operation that changes or reads anything fails with this system code; n ≥ 1. */
  readonly failAt: (n: number, code: string) => void;
  /** Operations since failAt was last called. */
  readonly operationCount: () => number;
};

const HANDLE_OPERATIONS = ["write", "read", "sync", "stat"];

/** The real file system, of which one chosen operation fails, as a full or dying disk makes it fail. */
export function failingFiles(): FailingFiles {
  let failing = Number.POSITIVE_INFINITY;
  let failureCode = "EIO";
  let count = 0;

  function countOne(operation: string): void {
    count += 1;
    if (count !== failing) return;
    const error = new Error(`${failureCode}: injected, ${operation}`);
    throw Object.assign(error, { code: failureCode, syscall: operation });
  }

  const counted =
    <A extends unknown[], R>(name: string, operation: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      countOne(name);
      return operation(...args);
    };

  const watched = (handle: FileHandle): FileHandle =>
    new Proxy(handle, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (HANDLE_OPERATIONS.includes(String(property))) {
            try {
              countOne(String(property));
            } catch (error) {
              return Promise.reject(error);
            }
          }
          return Reflect.apply(value, target, args);
        };
      },
    });

  return {
    open: async (...args) => {
      countOne("open");
      return watched(await systemFiles.open(...args));
    },
    rename: counted("rename", systemFiles.rename),
    unlink: counted("unlink", systemFiles.unlink),
    link: counted("link", systemFiles.link),
    mkdir: systemFiles.mkdir,
    readdir: systemFiles.readdir,
    failAt: (n, code) => {
      failing = n;
      failureCode = code;
      count = 0;
    },
    operationCount: () => count,
  };
}
