/** What the model check explores: in `npm test` the small settings, in `npm run soak` the whole ones too. */
import type { Setting } from './world';

const pipelined = ['pipelined', 'pipelined'] as const;
const node = ['node', 'node'] as const;
const both = ['pipelined', 'node'] as const;

/** A connection's place: workers that listen already, take, refuse, close, die. */
const places: Setting = { dialects: pipelined, connections: 3, asks: 1, young: true, listening: true, without: ['announce', 'exited', 'end', 'cut', 'disconnect'] };
/** The primary's program takes part: it disconnects workers, or closes their channels. */
const withProgram: Setting = { ...places, without: ['announce', 'exited', 'end'] };
/** The end of a write is told late, as when a connection's answer is read in the turn of its hand-off. */
const late: Setting = { ...places, connections: 2, lateWrites: true };
/** Connections come back: to workers that take, refuse, close and die, from a giver that may be gone. */
const moving: Setting = { ...places, connections: 2, moves: 1, without: [...(places.without ?? [])] };
/** A worker's life, from its fork on: binds that succeed, fail and are abandoned. */
const lives: Setting = { dialects: pipelined, connections: 1, asks: 1, young: true, lives: true, bindFails: true };

export const small: Record<string, Setting> = {
  'places': places,
  'places, with workers that answer slowly': { ...places, young: false },
  'places, with a stock worker': { ...places, connections: 2, dialects: both },
  'places, and writes are told late': late,
  'moves': { ...moving, connections: 1, moves: 2 },
  'moves, with workers that answer slowly': { ...moving, connections: 1, moves: 2, young: false },
  'lives': { ...lives, without: ['end', 'cut', 'announce'] },
};

export const whole: Record<string, Setting> = {
  ...small,
  'places, with a stock worker and three connections': { ...places, dialects: both },
  'places, and the primary closes channels': { ...withProgram, connections: 2, without: ['announce', 'exited', 'end', 'disconnect'] },
  'places, with stock workers only': { ...places, dialects: node },
  'places, with stock workers only, writes told late': { ...late, dialects: node },
  'places, with a stock worker, writes told late': { ...late, dialects: both },
  'places, and the program does everything': { ...withProgram, connections: 2 },
  'places, stock workers, and the program does everything': { ...withProgram, dialects: node },
  'moves, with two connections': moving,
  'moves, twice, with two connections': { ...moving, moves: 2 },
  'moves, with a stock worker': { ...moving, dialects: both, moves: 2 },
  'moves, and writes are told late': { ...moving, lateWrites: true },
  'moves, and the program does everything': { ...moving, without: ['announce', 'exited', 'end'] },
  'lives, without a connection': { ...lives, connections: 0 },
};
