/**
 * The options of the command, as data: what parses them, explains them and looks for the nearest one reads this table. The letters
 * are curl's where curl has them, so are the long names. Nothing here knows what an option does.
 */

/** One option. */
export interface Option {
  /** The long name, without dashes. */
  readonly name: string;
  /** The letter, where there is one. */
  readonly short?: string;
  /** What stands for its value in the help; absent for a switch. */
  readonly takes?: string;
  /** What it does, in one line of the help. */
  readonly does: string;
}

/** Options that belong together, under a heading of the help. */
export interface OptionGroup {
  readonly title: string;
  readonly options: readonly Option[];
}

/** All options, in the order of the help. */
export const OPTION_GROUPS: readonly OptionGroup[] = [
  {
    title: 'Where the body goes',
    options: [
      {
        name: 'output',
        short: 'o',
        takes: 'FILE',
        does: "body to FILE, complete or not at all ('-': stdout)",
      },
      {
        name: 'remote-name',
        short: 'O',
        does: "to a file named like the end of the URL's path",
      },
      { name: 'continue', short: 'C', does: 'go on from FILE.part, where an earlier run stopped' },
    ],
  },
  {
    title: 'What is sent',
    options: [
      { name: 'upload-file', short: 'T', takes: 'FILE', does: "PUT FILE ('-': standard input)" },
      {
        name: 'data',
        short: 'd',
        takes: 'DATA',
        does: "POST DATA ('@FILE': a file, '@-': standard input)",
      },
      { name: 'json', takes: 'DATA', does: 'POST JSON and accept it; DATA as for -d' },
      { name: 'form', short: 'F', takes: 'NAME=VALUE', does: "POST a form; VALUE '@FILE' sends a file" },
      {
        name: 'header',
        short: 'H',
        takes: 'FIELD',
        does: "send 'Name: value'; 'Name:' leaves a field out",
      },
      { name: 'user', short: 'u', takes: 'USER:PASSWORD', does: 'send credentials (Basic)' },
      {
        name: 'range',
        short: 'r',
        takes: 'A-B',
        does: "ask for bytes A to B ('A-' to the end, '-N' last N)",
      },
      { name: 'compressed', does: 'ask for a compressed body and undo the compression' },
    ],
  },
  {
    title: 'Which way it goes',
    options: [
      { name: 'location', short: 'L', does: 'follow redirects' },
      { name: 'max-redirs', takes: 'N', does: 'at most N of them (20)' },
      { name: 'retry', takes: 'N', does: 'try again up to N times what may be sent twice (0)' },
      { name: 'proxy', short: 'x', takes: 'URL', does: "go through a proxy (default: the environment's)" },
      { name: 'noproxy', does: 'go through no proxy' },
      { name: 'unix-socket', takes: 'PATH', does: 'connect to a Unix domain socket' },
      { name: 'insecure', short: 'k', does: 'take any certificate' },
      { name: 'cacert', takes: 'FILE', does: 'take what the authorities in FILE have signed' },
      { name: 'cert', takes: 'FILE', does: "show the client's certificate in FILE" },
      { name: 'key', takes: 'FILE', does: 'its private key (default: in the --cert file)' },
      { name: 'max-time', short: 'm', takes: 'S', does: 'give up after S seconds' },
      { name: 'connect-timeout', takes: 'S', does: 'give up when connecting takes S seconds' },
    ],
  },
  {
    title: 'What is shown',
    options: [
      { name: 'head', short: 'I', does: 'ask with HEAD and show the head' },
      { name: 'include', short: 'i', does: 'show the head before the body, on standard output' },
      { name: 'verbose', short: 'v', does: 'show both heads, on standard error' },
      { name: 'quiet', short: 'q', does: 'show no progress' },
      {
        name: 'progress',
        takes: 'HOW',
        does: 'bar, plain or none (default: a bar on a terminal)',
      },
      { name: 'no-fail', does: 'a status of 400 or more is no failure' },
      { name: 'help', short: 'h', does: 'show this text' },
      { name: 'version', short: 'V', does: 'show the version' },
    ],
  },
];

/** All options without their groups. */
export const OPTIONS: readonly Option[] = OPTION_GROUPS.flatMap(({ options }) => options);

/** Options of curl that are none of ours, and what to say instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  X: 'the method stands before the URL: millrace POST URL',
  request: 'the method stands before the URL: millrace POST URL',
  A: "say -H 'User-Agent: …'",
  'user-agent': "say -H 'User-Agent: …'",
  b: "say -H 'Cookie: …'",
  cookie: "say -H 'Cookie: …'",
  e: "say -H 'Referer: …'",
  referer: "say -H 'Referer: …'",
  G: 'write the query into the URL',
  get: 'write the query into the URL',
  s: 'say -q',
  S: 'failures are always shown',
  silent: 'say -q',
  'show-error': 'failures are always shown',
  f: 'a status of 400 or more is a failure anyway',
  fail: 'a status of 400 or more is a failure anyway',
  E: 'say --cert',
  '#': 'say --progress bar',
  'progress-bar': 'say --progress bar',
  'continue-at': 'say -C',
  'data-binary': 'say -d, which changes nothing either',
};

/** What to say about an option that is not in the table: its place, or the nearest one. */
export function nearestOption(name: string): string {
  const elsewhere = Object.hasOwn(ELSEWHERE, name) ? ELSEWHERE[name] : undefined;
  if (elsewhere !== undefined) return elsewhere;
  if (name.length === 1) {
    const other = OPTIONS.find(({ short }) => short?.toLowerCase() === name.toLowerCase());
    return other?.short === undefined ? 'millrace --help lists them' : `did you mean -${other.short}?`;
  }
  const [nearest] = OPTIONS.map((option) => ({ option, distance: distanceOf(name, option.name) })).toSorted(
    (a, b) => a.distance - b.distance,
  );
  return nearest === undefined ? '' : `did you mean --${nearest.option.name}?`;
}

/** How many letters have to be changed, added or left out to make one of the other (Levenshtein). */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
