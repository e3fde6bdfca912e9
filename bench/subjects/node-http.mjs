// How the bench calls node:http: `http.request` with one keep-alive agent of as many sockets as the row has loops,
// and `for await` over the reply.
import { createWriteStream } from 'node:fs';
import http from 'node:http';
import { pipeline } from 'node:stream';
import { BodyCheck } from '../body-check.mjs';
import { bodySource, checkCount, checkSize, inLoops } from './loops.mjs';

function setUp(options) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: options.connections ?? 1 });
  return { host: '127.0.0.1', port: options.port, agent };
}

function getOnce(settings, path, check) {
  return new Promise((resolve, reject) => {
    const read = async (response) => {
      for await (const piece of response) check.piece(piece);
      check.end();
    };
    const request = http.get({ ...settings, path }, (response) => read(response).then(resolve, reject));
    request.on('error', reject);
  });
}

export function get(options) {
  const settings = setUp(options);
  const checks = Array.from(
    { length: options.connections },
    () => new BodyCheck(options.bytes, options.period),
  );
  return {
    run: (count) =>
      inLoops(checks, count, async (check, budget) => {
        while (budget.left-- > 0) await getOnce(settings, options.path, check);
      }),
  };
}

export function downloadSave(options) {
  const settings = setUp(options);
  const once = () =>
    new Promise((resolve, reject) => {
      const request = http.get({ ...settings, path: options.path }, (response) => {
        const file = createWriteStream(options.file);
        pipeline(response, file, (error) => (error ? reject(error) : resolve(file.bytesWritten)));
      });
      request.on('error', reject);
    });
  return {
    async run(count) {
      for (let i = 0; i < count; i++) checkSize(await once(), options.bytes);
    },
  };
}

export function upload(options) {
  const settings = setUp(options);
  const source = bodySource(options);
  const headers = options.declared ? { 'Content-Length': options.bytes } : {};
  const once = () =>
    new Promise((resolve, reject) => {
      const read = async (response) => {
        let text = '';
        for await (const piece of response.setEncoding('latin1')) text += piece;
        checkCount(text, options.bytes);
      };
      const request = http.request({ ...settings, path: '/sink', method: 'PUT', headers }, (response) =>
        read(response).then(resolve, reject),
      );
      pipeline(source(), request, (error) => error && reject(error));
    });
  return {
    async run(count) {
      for (let i = 0; i < count; i++) await once();
    },
  };
}
