/**
 * A queue whose `push`, `unshift` and `shift` take the same time at any length. An array's `shift` does not: it
 * moves all other items. The items are linked in one direction, and the queue knows the first and the last.
 *
 * Used by  channel/, child/, master/ and upgrade/, for messages, handles, connections and hand-offs that wait in order
 */
import { push } from './builtins';

interface Node<Item> {
  readonly item: Item;
  next: Node<Item> | null;
}

/** A first-in, first-out queue. An item can also be put back at the head. */
export class Fifo<Item> {
  #head: Node<Item> | null = null;
  #tail: Node<Item> | null = null;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The item at the head. It stays in the queue. */
  get first(): Item | undefined {
    return this.#head?.item;
  }

  /** The items, from the head to the tail. They stay in the queue. */
  *[Symbol.iterator](): Iterator<Item> {
    for (let node = this.#head; node !== null; node = node.next) yield node.item;
  }

  /** Adds an item at the tail. */
  push(item: Item): void {
    const node: Node<Item> = { item, next: null };
    if (this.#tail === null) this.#head = node;
    else this.#tail.next = node;
    this.#tail = node;
    this.#length++;
  }

  /** Puts an item at the head: `shift` returns it next. */
  unshift(item: Item): void {
    this.#head = { item, next: this.#head };
    this.#tail ??= this.#head;
    this.#length++;
  }

  /** Removes the item at the head and returns it; undefined if the queue is empty. */
  shift(): Item | undefined {
    const node = this.#head;
    if (node === null) return undefined;
    this.#head = node.next;
    if (node.next === null) this.#tail = null;
    this.#length--;
    return node.item;
  }

  /** Removes the first item for which `is` returns true, and returns it; undefined if there is none. Takes time in proportion to its position. */
  remove(is: (item: Item) => boolean): Item | undefined {
    let before: Node<Item> | null = null;
    for (let node = this.#head; node !== null; before = node, node = node.next) {
      if (!is(node.item)) continue;
      if (before === null) return this.shift();
      before.next = node.next;
      if (node.next === null) this.#tail = before;
      this.#length--;
      return node.item;
    }
    return undefined;
  }

  /** Removes all items and returns them, from the head to the tail. */
  drain(): Item[] {
    const items: Item[] = [];
    for (let item = this.shift(); item !== undefined; item = this.shift()) push(items, item);
    return items;
  }
}
