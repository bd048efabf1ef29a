import { expect, test } from 'vitest';
import { Fifo } from '../../internal/fifo';

test('returns items in the order of push; unshift puts one at the head', () => {
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

test('removes the first item that matches, at both ends and in the middle', () => {
  const queue = new Fifo<number>();
  for (const item of [1, 2, 3, 4]) queue.push(item);
  expect([queue.remove((item) => item === 3), queue.remove((item) => item === 9)]).toEqual([3, undefined]);
  expect([queue.remove((item) => item === 1), queue.remove((item) => item === 4)]).toEqual([1, 4]);
  queue.push(5);
  expect([[...queue], queue.length]).toEqual([[2, 5], 2]);
});
