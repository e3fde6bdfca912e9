/**
 * What the command sends for each of its options, as a server sees it. Where curl has the option, it is run beside the command and must
 * have sent the same; where curl is not installed, the expectation stands alone.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { startCommandServer, type CommandServer, type Seen } from '../support/command-server.js';
import {
  CURL,
  curl,
  millrace,
  ownDirectory,
  type Outcome,
  type RunOptions,
} from '../support/millrace-command.js';

interface Case {
  readonly name: string;
  readonly args: readonly string[];
  /** What curl is to be given; null where curl has no such thing. */
  readonly curl: readonly string[] | null;
  readonly input?: string;
  readonly method: string;
  /** Behind `/seen`. */
  readonly target?: string;
  readonly body?: string;
  /** Fields that must be there with these values; null: must not be there. */
  readonly fields?: Readonly<Record<string, string | null>>;
}

const FORM = 'application/x-www-form-urlencoded';

/** `FILE` stands for a file in the directory of the run, the URL is added. */
const CASES: readonly Case[] = [
  {
    name: 'GET is what is sent without an option',
    args: [],
    curl: [],
    method: 'GET',
    fields: { 'content-length': null, 'transfer-encoding': null },
  },
  { name: 'METHOD may be written in lower case', args: ['patch'], curl: ['-X', 'PATCH'], method: 'PATCH' },
  {
    name: '-d joins with &',
    args: ['-d', 'a=1', '-d', 'b=ü', '-dc'],
    curl: ['-d', 'a=1', '-d', 'b=ü', '-dc'],
    method: 'POST',
    body: 'a=1&b=\xC3\xBC&c',
    fields: { 'content-type': FORM, 'content-length': '10' },
  },
  {
    name: '-d may be empty',
    args: ['-d', ''],
    curl: ['-d', ''],
    method: 'POST',
    body: '',
    fields: { 'content-length': '0' },
  },
  {
    name: '-d @FILE among others',
    args: ['-d', 'x', '-d', '@lines', '-d', 'y'],
    curl: ['-d', 'x', '--data-binary', '@lines', '-d', 'y'],
    method: 'POST',
    body: 'x&one\r\ntwo\n\0&y',
    fields: { 'content-length': '14' },
  },
  {
    name: '-d @- reads standard input',
    args: ['-d', '@-'],
    curl: null,
    input: 'from a pipe',
    method: 'POST',
    body: 'from a pipe',
    fields: { 'content-type': FORM, 'transfer-encoding': 'chunked' },
  },
  {
    name: '--json',
    args: ['--json', '{"a":1}'],
    curl: ['--json', '{"a":1}'],
    method: 'POST',
    body: '{"a":1}',
    fields: { 'content-type': 'application/json', accept: 'application/json' },
  },
  {
    name: '--json of several pieces, without anything between them',
    args: ['--json', '{"a":', '--json', '1}'],
    curl: ['--json', '{"a":', '--json', '1}'],
    method: 'POST',
    body: '{"a":1}',
  },
  {
    name: "--json gives way to a field of the user's",
    args: ['--json', '1', '-H', 'Content-Type: text/x', '-H', 'Accept: a/b'],
    curl: ['--json', '1', '-H', 'Content-Type: text/x', '-H', 'Accept: a/b'],
    method: 'POST',
    body: '1',
    fields: { 'content-type': 'text/x', accept: 'a/b' },
  },
  {
    name: '-T puts a file with its length',
    args: ['-T', 'lines'],
    curl: ['-T', 'lines'],
    method: 'PUT',
    body: 'one\r\ntwo\n\0',
    fields: { 'content-length': '10', 'content-type': null, 'transfer-encoding': null },
  },
  {
    name: '-T - puts standard input in chunks',
    args: ['-T', '-'],
    curl: ['-T', '-', '-H', 'Expect:'],
    input: 'from a pipe',
    method: 'PUT',
    body: 'from a pipe',
    fields: { 'transfer-encoding': 'chunked', 'content-length': null },
  },
  {
    name: "-T to a URL that ends in / adds the file's name",
    args: ['-T', 'a name'],
    curl: ['-T', 'a name'],
    target: '/into/',
    method: 'PUT',
    body: 'x',
  },
  {
    name: '-F posts a form',
    args: ['-F', 'a=1', '-F', 'b=x;y'],
    curl: ['-F', 'a=1', '--form-string', 'b=x;y'],
    method: 'POST',
    body: '--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--B\r\nContent-Disposition: form-data; name="b"\r\n\r\nx;y\r\n--B--\r\n',
    fields: { 'content-type': 'multipart/form-data; boundary=B', 'transfer-encoding': null },
  },
  {
    name: '-F sends files',
    args: ['-F', 'f=@lines', '-F', 'g=@text.txt', '-F', 'h=@lines;type=a/b;filename=c"d'],
    curl: ['-F', 'f=@lines', '-F', 'g=@text.txt', '-F', 'h=@lines;type=a/b;filename=c"d'],
    method: 'POST',
    body: `${part('f"; filename="lines', 'application/octet-stream')}one\r\ntwo\n\0\r\n${part('g"; filename="text.txt', 'text/plain')}t\r\n${part('h"; filename="c%22d', 'a/b')}one\r\ntwo\n\0\r\n--B--\r\n`,
  },
  {
    name: '-F @- reads standard input',
    args: ['-F', 'f=@-'],
    curl: null,
    input: 'in',
    method: 'POST',
    body: `${part('f"; filename="-', 'application/octet-stream')}in\r\n--B--\r\n`,
    fields: { 'transfer-encoding': 'chunked' },
  },
  {
    name: '-H sends fields, repeated ones too, as UTF-8, and leaves out those without a value',
    args: ['-H', 'X-One: 1', '-H', 'X-One:2', '-H', 'X-Two;', '-H', 'X-Three: ü', '-H', 'User-Agent:'],
    curl: ['-H', 'X-One: 1', '-H', 'X-One:2', '-H', 'X-Two;', '-H', 'X-Three: ü', '-H', 'User-Agent:'],
    method: 'GET',
    fields: { 'x-one': '1, 2', 'x-two': '', 'x-three': '\xC3\xBC', 'user-agent': null },
  },
  {
    name: "-H takes the place of the library's own fields",
    args: ['-H', 'Host: other.example'],
    curl: ['-H', 'Host: other.example'],
    method: 'GET',
    fields: { host: 'other.example' },
  },
  {
    name: '-H declares a length itself',
    args: ['-T', '-', '-H', 'Content-Length: 3'],
    curl: null,
    input: 'abc',
    method: 'PUT',
    body: 'abc',
    fields: { 'content-length': '3', 'transfer-encoding': null },
  },
  {
    name: '-u sends credentials',
    args: ['-u', 'user:pass:word'],
    curl: ['-u', 'user:pass:word'],
    method: 'GET',
    fields: { authorization: 'Basic dXNlcjpwYXNzOndvcmQ=' },
  },
  {
    name: '-r asks for a range',
    args: ['-r', '5-9'],
    curl: ['-r', '5-9'],
    method: 'GET',
    fields: { range: 'bytes=5-9' },
  },
  {
    name: 'the query stays, the fragment goes',
    args: [],
    curl: [],
    target: '?a=1&b=%20#there',
    method: 'GET',
  },
  {
    name: 'letters are bundled, and -- ends them',
    args: ['-ivd', 'x', '--'],
    curl: null,
    method: 'POST',
    body: 'x',
  },
];

function part(name: string, type: string): string {
  return `--B\r\nContent-Disposition: form-data; name="${name}"\r\nContent-Type: ${type}\r\n\r\n`;
}

describe('the command: what is sent', () => {
  const directory = ownDirectory();
  let server: CommandServer;
  let outcomes: Map<Case, { ours: Promise<Outcome>; theirs: Promise<Outcome> | null }>;

  before(async () => {
    server = await startCommandServer();
    for (const [name, content] of [
      ['lines', 'one\r\ntwo\n\0'],
      ['a name', 'x'],
      ['text.txt', 't'],
      ['empty', ''],
    ] as const) {
      writeFileSync(join(directory.path, name), content);
    }
    outcomes = new Map(
      CASES.map((each) => {
        const url = `${server.origin}/seen${each.target ?? ''}`;
        const options: RunOptions = { cwd: directory.path, input: each.input ?? '' };
        const theirs = CURL && each.curl !== null ? curl([...each.curl, url], options) : null;
        return [each, { ours: millrace([...each.args, url], options), theirs }];
      }),
    );
  });

  after(() => server.close());

  for (const each of CASES) {
    it(each.name, async function () {
      this.timeout(30_000);
      const { ours, theirs } = outcomes.get(each) ?? { ours: Promise.reject(new Error()), theirs: null };
      const outcome = await ours;
      expect(outcome.status, outcome.stderr).to.equal(0);
      check(each, seenIn(outcome));
      if (theirs !== null) check(each, seenIn(await theirs));
    });
  }

  it('says who it is', async () => {
    const { fields } = seenIn(await millrace([`${server.origin}/seen`]));
    const agent = fields.find(([name]) => name === 'User-Agent');
    expect(agent?.[1]).to.match(/^millrace\/\d+\.\d+\.\d+$/);
  });

  it('a URL without a scheme is http', async () => {
    const outcome = await millrace([`127.0.0.1:${String(server.port)}/seen`]);
    expect(outcome.status).to.equal(0);
  });
});

/** Behind the head that `-i` shows. */
function seenIn({ stdout }: Outcome): Seen {
  const text = stdout.toString();
  return JSON.parse(text.slice(text.indexOf('{'))) as Seen;
}

function check(expected: Case, seen: Seen): void {
  const boundary = /boundary=(\S+)/.exec(valueOf(seen, 'content-type') ?? '')?.[1];
  const plain = (text: string): string => (boundary === undefined ? text : text.replaceAll(boundary, 'B'));
  expect(seen.method).to.equal(expected.method);
  const target = (expected.target ?? '').replace(/#.*/, '').replace(/\/$/, '/a%20name');
  expect(seen.url).to.equal(`/seen${target}`);
  expect(plain(seen.body)).to.equal(expected.body ?? '');
  for (const [name, value] of Object.entries(expected.fields ?? {})) {
    const found = valueOf(seen, name);
    expect(found === null ? null : plain(found), name).to.equal(value);
  }
}

function valueOf({ fields }: Seen, name: string): string | null {
  const values = fields.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);
  return values.length === 0 ? null : values.join(', ');
}
