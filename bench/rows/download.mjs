// The rows that read large bodies: by length, in chunks, into a view, over TLS; seconds of CPU per GiB.
import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chunkBlockPayload } from '../body-check.mjs';

const GIB = 2 ** 30;
const MIB = 2 ** 20;

/** Where `download-save` writes, again and again: in memory where that can be, so that no disk is measured. */
const FILE = join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), `millrace-bench-${process.pid}`);

process.on('exit', () => rmSync(FILE, { force: true }));

const perGib = {
  figure: 'CPU per GiB, s',
  better: 'less',
  sample: (cost, units, subject, { quick }) => cost.cpu / 1e6 / ((units * subject.bytes(quick)) / GIB),
};

/** The same subjects at the same size: each unit is one body of `full` (or `quick`) bytes. */
function row({ name, title, full, quick, pathOf, period, file, subjects, comparisons, ...more }) {
  const bytes = (isQuick) => (isQuick ? quick.bytes : full.bytes);
  return {
    name,
    title,
    ...perGib,
    full: { rounds: 9, units: 1, warmUp: 2, ...full },
    quick: { rounds: 3, units: 1, warmUp: 1, ...quick },
    options: (bench) => ({ bytes: bytes(bench.quick), path: pathOf(bytes(bench.quick)), period, file }),
    subjects: subjects.map((subject) => ({ bytes, ...subject })),
    comparisons,
    ...more,
  };
}

const byLength = (bytes) => `/length/${bytes}`;
const inChunks = (size) => ({
  pathOf: (bytes) => `/chunked/${bytes}/${size}`,
  period: chunkBlockPayload(size),
});
const millrace = { label: 'millrace', module: 'millrace', workload: 'download' };
const curl = { label: 'curl', module: 'curl', workload: 'download' };
const undici = { label: 'undici request', module: 'undici', workload: 'download' };

export const downloadRows = [
  row({
    name: 'download-length',
    title: 'download 1 GiB by length, `for await`',
    full: { bytes: GIB, rounds: 11, warmUp: 2 },
    quick: { bytes: GIB / 8 },
    pathOf: byLength,
    subjects: [millrace, undici],
    comparisons: [{ against: 'undici request', atMost: 0.55 }],
  }),
  row({
    name: 'download-readinto',
    title: 'download 1 GiB by length, `readinto` a 256 KiB view',
    full: { bytes: GIB, rounds: 11, warmUp: 2 },
    quick: { bytes: GIB / 8 },
    pathOf: byLength,
    subjects: [
      { label: 'millrace', module: 'millrace', workload: 'downloadInto', options: { viewBytes: 262_144 } },
      { label: 'raw onread', module: 'raw', workload: 'download' },
      { label: 'curl', module: 'curl', workload: 'download' },
    ],
    comparisons: [
      { against: 'raw onread', atMost: 1.25 },
      { against: 'curl', atMost: 1.2 },
    ],
  }),
  row({
    name: 'download-save',
    title: 'download 1 GiB by length into a file, `save`',
    full: { bytes: GIB, rounds: 11, warmUp: 2 },
    quick: { bytes: GIB / 8 },
    pathOf: byLength,
    file: FILE,
    subjects: [
      { label: 'millrace', module: 'millrace', workload: 'downloadSave' },
      { label: 'curl', module: 'curl', workload: 'download' },
      { label: 'node:http and a file stream', module: 'node-http', workload: 'downloadSave' },
    ],
    comparisons: [
      { against: 'curl', atMost: 1.3 },
      { against: 'node:http and a file stream', atMost: 0.75 },
    ],
  }),
  row({
    name: 'download-chunks-100',
    title: 'download in 100-byte chunks, `for await`',
    full: { bytes: 256 * MIB },
    quick: { bytes: 8 * MIB },
    ...inChunks(100),
    subjects: [millrace, undici, curl],
    comparisons: [
      { against: 'undici request', atMost: 0.45 },
      { against: 'curl', atMost: 0.95 },
    ],
  }),
  row({
    name: 'download-chunks-4096',
    title: 'download in 4 KiB chunks, `for await`',
    full: { bytes: GIB / 2 },
    quick: { bytes: GIB / 16 },
    ...inChunks(4096),
    subjects: [millrace, undici, curl],
    comparisons: [
      { against: 'undici request', atMost: 0.4 },
      { against: 'curl', atMost: 1.1 },
    ],
  }),
  row({
    name: 'tls-download',
    title: 'download over TLS by length, `for await`',
    full: { bytes: GIB / 2 },
    quick: { bytes: GIB / 16 },
    pathOf: byLength,
    tls: true,
    subjects: [millrace, undici, { label: 'raw TLS onread', module: 'raw', workload: 'download' }],
    comparisons: [
      { against: 'undici request', atMost: 0.9 },
      { against: 'raw TLS onread', atMost: 1.25 },
    ],
  }),
  {
    name: 'scale-bytes',
    title: 'download by length: one 4 GiB body against bodies of 64 MiB',
    ...perGib,
    full: { rounds: 5, units: 64, warmUp: 16 },
    quick: { rounds: 2, units: 8, warmUp: 4 },
    subjects: [
      // As many bytes in one body as the other has in 64 (in 8, when quick).
      {
        ...millrace,
        label: 'millrace, one body',
        bytes: (quick) => (quick ? GIB / 2 : 4 * GIB),
        share: 1 / 64,
      },
      { ...millrace, label: 'millrace, 64 MiB', bytes: () => 64 * MIB },
    ].map((subject) => ({
      ...subject,
      options: ({ quick }) => ({ bytes: subject.bytes(quick), path: byLength(subject.bytes(quick)) }),
    })),
    comparisons: [{ of: 'millrace, one body', against: 'millrace, 64 MiB', atMost: 1.15 }],
  },
];
