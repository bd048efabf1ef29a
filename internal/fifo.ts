/**
 * A queue in which every operation takes the same time at any length: singly linked, with both ends
 * known. Items can also be put back at the head.
 *
 * Used by  master/round_robin_handle.ts (connections), master/peer.ts (hand-offs)
 */
import { push } from './builtins';
interface Node<Item> {
  readonly item: Item;
  next: Node<Item> | null;
}

/** A first-in, first-out queue that also takes items back at its head. */
export class Fifo<Item> {
  #head: Node<Item> | null = null;
  #tail: Node<Item> | null = null;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The item at the head, which stays there. */
  get first(): Item | undefined {
    return this.#head?.item;
  }

  /** The items from the head on, which stay where they are. */
  *[Symbol.iterator](): Iterator<Item> {
    for (let node = this.#head; node !== null; node = node.next) yield node.item;
  }

  push(item: Item): void {
    const node: Node<Item> = { item, next: null };
    if (this.#tail === null) this.#head = node;
    else this.#tail.next = node;
    this.#tail = node;
    this.#length++;
  }

  /** Puts an item at the head: it is the next to be shifted. */
  unshift(item: Item): void {
    this.#head = { item, next: this.#head };
    this.#tail ??= this.#head;
    this.#length++;
  }

  shift(): Item | undefined {
    const node = this.#head;
    if (node === null) return undefined;
    this.#head = node.next;
    if (node.next === null) this.#tail = null;
    this.#length--;
    return node.item;
  }

  /** Takes the first item for which `is` is true out of the queue. */
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

  /** Takes everything out, in order. */
  drain(): Item[] {
    const items: Item[] = [];
    for (let item = this.shift(); item !== undefined; item = this.shift()) push(items, item);
    return items;
  }
}
