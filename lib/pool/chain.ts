/**
 * A chain of members that know their neighbours: those who wait for a connection, and the connections that wait for a request.
 *
 * Joining, leaving from either end and leaving from the middle take the same short time however long the chain is, and nothing is made
 * for a member: the two links are fields of its own, so that ten thousand who wait cost what they are and no more. A member is in one
 * chain at a time. It owns the order and the count, and knows nothing of what its members are.
 */

/** What can stand in a chain. */
export interface Member<M> {
  /** The neighbour that joined before; null for none. Owned by the chain. */
  before: M | null;
  /** The neighbour that joined later; null for none. Owned by the chain. */
  behind: M | null;
  /** The chain it stands in; null for none. Owned by the chain. */
  chain: object | null;
}

export class Chain<M extends Member<M>> {
  #first: M | null = null;
  #last: M | null = null;
  #size = 0;

  /** How many stand in it. */
  get size(): number {
    return this.#size;
  }

  /** The one that has stood in it longest. */
  get first(): M | null {
    return this.#first;
  }

  /** The one that joined last. */
  get last(): M | null {
    return this.#last;
  }

  /** Joins at the end. A member that stands in a chain already is left where it is. */
  push(member: M): void {
    if (member.chain !== null) return;
    member.chain = this;
    member.before = this.#last;
    if (this.#last === null) this.#first = member;
    else this.#last.behind = member;
    this.#last = member;
    this.#size++;
  }

  /** Joins before all others. */
  unshift(member: M): void {
    if (member.chain !== null) return;
    member.chain = this;
    member.behind = this.#first;
    if (this.#first === null) this.#last = member;
    else this.#first.before = member;
    this.#first = member;
    this.#size++;
  }

  /** Takes out the one that has waited longest. */
  shift(): M | null {
    const member = this.#first;
    if (member !== null) this.remove(member);
    return member;
  }

  /** Takes out the one that joined last. */
  pop(): M | null {
    const member = this.#last;
    if (member !== null) this.remove(member);
    return member;
  }

  /** Takes out this one, wherever it stands; false when it is not in this chain. */
  remove(member: M): boolean {
    if (member.chain !== this) return false;
    const { before, behind } = member;
    if (before === null) this.#first = behind;
    else before.behind = behind;
    if (behind === null) this.#last = before;
    else behind.before = before;
    member.before = null;
    member.behind = null;
    member.chain = null;
    this.#size--;
    return true;
  }

  /** From the longest there on. The member that was given last may leave meanwhile, others may not. */
  *[Symbol.iterator](): IterableIterator<M> {
    for (let member = this.#first; member !== null;) {
      const next: M | null = member.behind;
      yield member;
      member = next;
    }
  }
}
