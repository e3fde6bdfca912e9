// The rows that send large bodies from an async generator or a file stream; seconds of CPU per GiB. The server
// counts what arrives, undoing the chunks, and its count is the answer every subject checks.
const GIB = 2 ** 30;
const MIB = 2 ** 20;

function row({ name, title, full, quick, subjects, comparisons, ...options }) {
  const bytes = (isQuick) => (isQuick ? quick.bytes : full.bytes);
  return {
    name,
    title,
    figure: 'CPU per GiB, s',
    better: 'less',
    sample: (cost, units, _, bench) => cost.cpu / 1e6 / ((units * bytes(bench.quick)) / GIB),
    full: { rounds: 9, units: 1, warmUp: 2, ...full },
    quick: { rounds: 3, units: 1, warmUp: 1, ...quick },
    options: (bench) => ({ bytes: bytes(bench.quick), ...options }),
    subjects,
    comparisons,
  };
}

const millrace = { label: 'millrace', module: 'millrace', workload: 'upload' };
const undici = { label: 'undici request', module: 'undici', workload: 'upload' };

export const uploadRows = [
  row({
    name: 'upload-64k',
    title: 'upload 1 GiB from an async generator, 64 KiB pieces',
    full: { bytes: GIB },
    quick: { bytes: GIB / 16 },
    pieceBytes: 65_536,
    subjects: [
      millrace,
      { label: 'raw socket', module: 'raw', workload: 'upload' },
      { label: 'raw socket by writableLength', module: 'raw', workload: 'uploadByLength' },
      undici,
    ],
    comparisons: [
      { against: 'raw socket', atMost: 1.1 },
      { against: 'raw socket by writableLength' },
      { against: 'undici request' },
    ],
  }),
  row({
    name: 'upload-4k',
    title: 'upload from an async generator, 4 KiB pieces, chunked',
    full: { bytes: 256 * MIB },
    quick: { bytes: 16 * MIB },
    pieceBytes: 4096,
    subjects: [millrace, undici],
    comparisons: [{ against: 'undici request', atMost: 0.3 }],
  }),
  row({
    name: 'upload-200',
    title: 'upload from an async generator, 200-byte pieces, chunked',
    full: { bytes: 24 * MIB, rounds: 7, warmUp: 1 },
    quick: { bytes: 2 * MIB },
    pieceBytes: 200,
    subjects: [millrace, undici],
    comparisons: [{ against: 'undici request', atMost: 0.15 }],
  }),
  row({
    name: 'upload-file',
    title: 'upload a file from `fs.createReadStream`, chunked',
    full: { bytes: 256 * MIB, rounds: 11 },
    quick: { bytes: 32 * MIB },
    file: true,
    subjects: [millrace, undici, { label: 'node:http', module: 'node-http', workload: 'upload' }],
    comparisons: [
      { against: 'undici request', atMost: 0.85 },
      { against: 'node:http', atMost: 1.0 },
    ],
  }),
  row({
    name: 'upload-handle',
    title: 'upload a file of 1 GiB by length, from a `FileHandle`',
    full: { bytes: GIB, rounds: 9 },
    quick: { bytes: GIB / 16 },
    file: true,
    declared: true,
    subjects: [
      { ...millrace, workload: 'uploadHandle' },
      { label: 'curl -T', module: 'curl', workload: 'upload' },
      { label: 'node:http', module: 'node-http', workload: 'upload' },
    ],
    comparisons: [
      { against: 'curl -T', atMost: 1.3 },
      { against: 'node:http', atMost: 0.75 },
    ],
  }),
  row({
    name: 'stream',
    title: 'upload a file stream: `conn.stream` against `request()`',
    full: { bytes: 256 * MIB, rounds: 9 },
    quick: { bytes: 32 * MIB },
    file: true,
    subjects: [
      { label: 'millrace stream', module: 'millrace', workload: 'uploadStream' },
      { label: 'millrace request', module: 'millrace', workload: 'upload' },
    ],
    comparisons: [{ of: 'millrace stream', against: 'millrace request', atMost: 1.15 }],
  }),
];
