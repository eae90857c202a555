import { inspect } from "node:util";

/** Holds a value that must never be printed: it shows as `[secret]` and has no JSON form. */
export class Secret<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** The value itself; call it only where the value is used. */
  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return "[secret]";
  }

  /** @throws TypeError always: a secret reaching a serializer is a bug, and a silent "{}" would hide it */
  toJSON(): never {
    throw new TypeError("a Secret has no JSON form");
  }

  [inspect.custom](): string {
    return "[secret]";
  }
}
