/** Accepting whatever is seen, said out loud with its reason. An absent field never means this. */
export type Anything = { readonly any: true; readonly because: string };

/** A wanted value, or the decision to want none. */
export type OrAnything<T> = T | Anything;

/** Whether nothing in particular is wanted. */
export const isAnything = <T>(wanted: OrAnything<T>): wanted is Anything =>
  typeof wanted === "object" && wanted !== null && "any" in wanted;
