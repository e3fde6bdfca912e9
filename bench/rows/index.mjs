// All rows, in the order of the table.
import { commandRows } from './command.mjs';
import { downloadRows } from './download.mjs';
import { getRows } from './get.mjs';
import { idleRows } from './idle.mjs';
import { packageRows } from './package.mjs';
import { peerRows } from './peers.mjs';
import { uploadRows } from './upload.mjs';

export const rows = [
  ...getRows,
  ...downloadRows,
  ...uploadRows,
  ...idleRows,
  ...packageRows,
  ...commandRows,
  ...peerRows,
];
