/** What an element of a {@link LinkedList} has; both are null while it is in none. */
export interface Linked<T> {
  previous: T | null;
  next: T | null;
}

/** A linked list of what is in one list at a time: each end and each element can be reached, and taken out, in constant time. */
export class LinkedList<T extends Linked<T>> {
  first: T | null = null;
  last: T | null = null;
  size = 0;

  /** Puts `it`, which is in no list, at the end. */
  push(it: T): void {
    it.previous = this.last;
    if (this.last === null) this.first = it;
    else this.last.next = it;
    this.last = it;
    this.size++;
  }

  /** Takes out `it`, which is in this list. */
  delete(it: T): void {
    if (it.previous === null) this.first = it.next;
    else it.previous.next = it.next;
    if (it.next === null) this.last = it.previous;
    else it.next.previous = it.previous;
    it.previous = it.next = null;
    this.size--;
  }

  /** From the first to the last; the element at hand may be taken out meanwhile, but no other one. */
  *[Symbol.iterator](): Generator<T> {
    for (let it = this.first; it !== null; ) {
      const { next } = it;
      yield it;
      it = next;
    }
  }
}
