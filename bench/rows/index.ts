/** All rows, in the order of the report. */
import { blockedRow } from './blocked';
import { connectionRows } from './connections';
import { forkRow } from './forking';
import { growthRow } from './growth';
import { latencyRow } from './latency';
import { memoryRow } from './memory';
import { messageRows } from './messages';
import { microRows } from './micro';
import { noneRow } from './none';
import type { Row } from './row';
import { schedulingRow } from './scheduling';
import { wrkRow } from './wrk';

export const rows: readonly Row[] = [
  ...connectionRows, noneRow, wrkRow, latencyRow, blockedRow, schedulingRow, ...messageRows, forkRow, memoryRow, growthRow, ...microRows,
];
