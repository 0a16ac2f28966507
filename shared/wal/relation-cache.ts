const SLOTS = 4096;
const NUMBERS = 3;

/**
 * Remembers relations, as many as fit: one takes the place of another that falls on its slot. What it says to hold was put in; what was put in
 * may be forgotten.
 */
export class RelationCache {
  readonly #slots = new Uint32Array(SLOTS * NUMBERS);

  /** Relation number 0 is no relation's. */
  has(tablespaceOid: number, databaseOid: number, relationNumber: number): boolean {
    const slot = slotOf(databaseOid, relationNumber);
    return (
      relationNumber !== 0 &&
      this.#slots[slot] === relationNumber &&
      this.#slots[slot + 1] === databaseOid &&
      this.#slots[slot + 2] === tablespaceOid
    );
  }

  add(tablespaceOid: number, databaseOid: number, relationNumber: number): void {
    const slot = slotOf(databaseOid, relationNumber);
    this.#slots[slot] = relationNumber;
    this.#slots[slot + 1] = databaseOid;
    this.#slots[slot + 2] = tablespaceOid;
  }

  delete(databaseOid: number, relationNumber: number): void {
    this.#slots[slotOf(databaseOid, relationNumber)] = 0;
  }

  clear(): void {
    this.#slots.fill(0);
  }
}

function slotOf(databaseOid: number, relationNumber: number): number {
  return ((Math.imul(databaseOid, 0x9e37_79b1) ^ Math.imul(relationNumber, 0x85eb_ca6b)) >>> 20) * NUMBERS;
}
