#!/usr/bin/env node
/**
 * The command `millrace`: begins a run and ends the process with its status. Everything else is in run.ts.
 */
import { exit } from './blocking.js';
import { run } from './run.js';

exit(await run(process.argv.slice(2)));
