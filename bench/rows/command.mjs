// The row of the command: a large file each way, beside curl; seconds of CPU per GiB, what starting the process costs taken off.
const GIB = 2 ** 30;

const bytes = ({ quick }) => (quick ? GIB / 8 : GIB);

const subject = (program, way, workload) => ({
  label: `${program} ${way}`,
  module: 'command',
  workload,
  options: { program },
});

export const commandRows = [
  {
    name: 'command',
    title: 'the command: 1 GiB into a file, and a file of 1 GiB up',
    figure: 'CPU per GiB, s',
    better: 'less',
    sample: (cost, units, _, bench) => cost.cpu / 1e6 / ((units * bytes(bench)) / GIB),
    full: { rounds: 7, units: 1, warmUp: 1 },
    quick: { rounds: 2, units: 1, warmUp: 1 },
    options: (bench) => ({ bytes: bytes(bench), path: `/length/${bytes(bench)}` }),
    subjects: ['millrace', 'curl'].flatMap((program) => [
      subject(program, 'down', 'commandDownload'),
      subject(program, 'up', 'commandUpload'),
    ]),
    comparisons: [
      { of: 'millrace down', against: 'curl down', atMost: 1.5 },
      { of: 'millrace up', against: 'curl up', atMost: 1.5 },
    ],
  },
];
