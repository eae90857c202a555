/** Writes certificate tables as SNP hosts do. */

/** As the standard prints them. */
export const GUID = {
  vcek: "63da758d-e664-4564-adc5-f4b93be8accd",
  vlek: "a8074bc2-a25a-483e-aae6-39c045a0b8a1",
  ask: "4ab7b379-bbac-4fe4-a02f-05aef327c782",
  ark: "c0b406a4-a803-4952-9743-3fb6014cd0ae",
  /** Of an entry that we do not know. */
  other: "ecae0c0f-9502-43b1-afa2-0ae2e0d565b6",
} as const;

/** Entries, the entry of zeros, the contents in order. */
export function certificateTable(
  ...entries: readonly (readonly [string, Uint8Array])[]
): Uint8Array {
  const headBytes = (entries.length + 1) * 24;
  const table = Buffer.alloc(
    headBytes + entries.reduce((sum, [, content]) => sum + content.byteLength, 0),
  );
  let offset = headBytes;
  entries.forEach(([guid, content], index) => {
    table.write(guid.replaceAll("-", ""), index * 24, "hex");
    table.writeUInt32LE(offset, index * 24 + 16);
    table.writeUInt32LE(content.byteLength, index * 24 + 20);
    table.set(content, offset);
    offset += content.byteLength;
  });
  return new Uint8Array(table);
}
