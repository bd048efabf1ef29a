import { expect, test } from 'vitest';
import { Fifo } from '../../internal/fifo';

test('keeps the order of push, and puts back at the head', () => {
  const queue = new Fifo<number>();
  for (const item of [1, 2, 3]) queue.push(item);
  expect(queue.shift()).toBe(1);
  queue.unshift(1);
  expect([...queue]).toEqual([1, 2, 3]);
  expect(queue.length).toBe(3);
  expect(queue.drain()).toEqual([1, 2, 3]);
  expect(queue.shift()).toBeUndefined();
  queue.unshift(4);
  queue.push(5);
  expect(queue.drain()).toEqual([4, 5]);
  expect(queue.length).toBe(0);
});
