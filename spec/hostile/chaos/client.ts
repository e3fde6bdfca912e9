/**
 * This end of the chaos test: carries out one planned exchange on a connection and writes down all that its user would see.
 *
 * It judges nothing, and it waits for nothing without a limit: a promise that does not settle is part of the report.
 */
import { getEventListeners } from 'node:events';
import type { LookupFunction } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { HTTPConnection, HTTPResponse, RequestBody } from '../../../lib/index.js';
import type { ExchangePlan, LookupLie } from './plan.js';

/** How a promise settled; null if it did not. */
export type Settled<T> = { value: T; error?: undefined } | { error: unknown; value?: undefined } | null;

/** What the user of the connection saw. */
export interface Report {
  readonly sent: Settled<void>;
  readonly head: Settled<HTTPResponse> | 'not asked for';
  readonly body: Settled<void> | 'not read';
  /** What was read of the body. */
  readonly bytes: Buffer;
  /** Listeners left on the exchange's signal. */
  readonly listeners: number;
  /** Whether a source that began was told to stop, or read to its end. */
  readonly sourceReleased: boolean;
}

export const SOURCE_FAILURE: Error = new Error('the source failed');
export const LOOKUP_FAILURE: Error = new Error('the look-up threw');
export const ABORTED: Error = new Error('aborted by the chaos client');

const HANG_MS = 25_000;

export async function runExchange(connection: HTTPConnection, plan: ExchangePlan): Promise<Report> {
  const aborter = new AbortController();
  const source = makeSource(plan);
  const { request, client } = plan;
  const headers: Record<string, string> = {};
  if (request.declared) headers['Content-Length'] = String(request.content.length);
  if (request.expectsContinue) headers['Expect'] = '100-continue';
  const chunked = source.chunked && !request.declared;
  const actor = client.act === 'abort' || client.act === 'close' ? act(connection, aborter, plan) : undefined;
  const sending = connection.request(
    source.body === null ? 'GET' : 'POST',
    `/${String(plan.number)}`,
    source.body,
    headers,
    {
      signal: aborter.signal,
      timeout: {
        connect: 20_000,
        send: client.timeoutMs,
        response: client.timeoutMs,
        body: client.timeoutMs,
        total: client.timeoutMs * 4,
      },
      expectTimeout: 15,
      ...(request.trailers && chunked ? { trailers: () => ({ 'X-Trailer': '1' }) } : {}),
    },
  );
  if (request.transferred) structuredClone(source.memory, { transfer: [source.memory] });
  if (client.holdsMs > 0) setTimeout(hold, client.actAfterMs, client.holdsMs);
  const sent = settled(sending);
  if (request.asksLate) await sent;
  const asks = !request.asksLate || !isFailure(await sent);
  const head = asks ? await settled(connection.getResponse()) : 'not asked for';
  const read: Buffer[] = [];
  let body: Report['body'] = 'not read';
  if (head !== 'not asked for' && head?.value !== undefined) {
    body = await settled(readBody(head.value, plan, read));
    if (client.act === 'destroy') head.value.destroy();
  }
  const sentAtLast = await sent;
  clearTimeout(actor);
  // A generator that is asked to return while it waits does so when it has waited.
  for (let turn = 0; turn < 50 && !source.released(); turn++) await new Promise(setImmediate);
  return {
    sent: sentAtLast,
    head,
    body,
    bytes: Buffer.concat(read),
    listeners: getEventListeners(aborter.signal, 'abort').length,
    sourceReleased: source.released(),
  };
}

/** The whole process stands still. */
function hold(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

function isFailure(outcome: Settled<unknown>): boolean {
  return outcome === null || 'error' in outcome;
}

function settled<T>(promise: Promise<T>): Promise<Settled<T>> {
  return new Promise((resolve) => {
    const guard = setTimeout(resolve, HANG_MS, null);
    const done = (outcome: Settled<T>): void => {
      clearTimeout(guard);
      resolve(outcome);
    };
    promise.then(
      (value) => done({ value }),
      (error: unknown) => done({ error }),
    );
  });
}

function act(connection: HTTPConnection, aborter: AbortController, plan: ExchangePlan): NodeJS.Timeout {
  return setTimeout(() => {
    if (plan.client.act === 'abort') aborter.abort(ABORTED);
    else connection.close();
  }, plan.client.actAfterMs);
}

interface MadeSource {
  body: RequestBody | null;
  chunked: boolean;
  /** Whose the bytes of the body are. */
  memory: ArrayBuffer;
  released(): boolean;
}

function makeSource(plan: ExchangePlan): MadeSource {
  const { kind, content, pieceBytes, failsAt, failure, paused } = plan.request;
  const watch = { begun: false, released: false };
  const released = (): boolean => !watch.begun || watch.released;
  const memory = new ArrayBuffer(0);
  function* pieces(): Generator<Buffer> {
    watch.begun = true;
    try {
      const to = failsAt ?? content.length;
      for (let at = 0; at < to; at += pieceBytes) yield content.subarray(at, Math.min(to, at + pieceBytes));
      if (failsAt === null) return;
      if (failure === 'throws') throw SOURCE_FAILURE;
      if (failure === 'nonsense') yield { not: 'bytes' } as never;
    } finally {
      watch.released = true;
    }
  }
  async function* slowPieces(): AsyncGenerator<Buffer> {
    for (const piece of pieces()) {
      yield piece;
      if (piece.length % 3 === 0) await new Promise(setImmediate);
    }
  }
  switch (kind) {
    case 'none':
      return { body: null, chunked: false, memory, released };
    case 'text':
      return { body: content.toString('latin1'), chunked: false, memory, released };
    case 'bytes': {
      const own = new Uint8Array(content);
      return { body: own, chunked: false, memory: own.buffer, released };
    }
    case 'generator':
      return { body: slowPieces(), chunked: true, memory, released };
    case 'iterable': {
      const body = failsAt !== null && failure === 'malformed' ? malformed(pieces()) : pieces();
      return { body, chunked: true, memory, released };
    }
    case 'stream': {
      const closes = failsAt !== null && failure === 'closes';
      const stream = closes ? closing(pieces()) : Readable.from(slowPieces(), { objectMode: false });
      if (paused) stream.pause();
      return {
        body: stream,
        chunked: true,
        memory,
        released: () => stream.destroyed || stream.readableEnded,
      };
    }
    case 'web stream':
      return { body: ReadableStream.from(slowPieces()) as RequestBody, chunked: true, memory, released };
  }
}

/** Answers with nothing at its end. */
function malformed(pieces: Generator<Buffer>): Iterable<Buffer> {
  const iterator = {
    next: () => {
      const result = pieces.next();
      return result.done === true ? (undefined as never) : result;
    },
    return: () => pieces.return(undefined),
  };
  return { [Symbol.iterator]: () => iterator };
}

/** Closes in the place of its end, without an error. */
function closing(pieces: Generator<Buffer>): Readable {
  return new Readable({
    read() {
      const result = pieces.next();
      if (result.done === true) this.destroy();
      else this.push(result.value);
    },
    destroy(error, done) {
      pieces.return(undefined);
      done(error);
    },
  });
}

/** A look-up that answers with the address of this machine, or what the plan under way says. */
export function lookupFor(current: { lie: LookupLie | null }): LookupFunction {
  return (_host, options, callback) => {
    const told = callback as (error: Error | null, address?: unknown, family?: number) => void;
    const honest = (): void => {
      if (options.all === true) told(null, [{ address: '127.0.0.1', family: 4 }]);
      else told(null, '127.0.0.1', 4);
    };
    switch (current.lie) {
      case null:
        setImmediate(honest);
        return;
      case 'nothing':
        (told as () => void)();
        return;
      case 'an empty name':
        told(null, '', 4);
        return;
      case 'objects':
        setImmediate(told, null, [{}]);
        return;
      case 'a name':
        setImmediate(told, null, 'localhost', 4);
        return;
      case 'twice':
        honest();
        told(null, [null]);
        return;
      case 'a throw':
        throw LOOKUP_FAILURE;
    }
  };
}

function breath(plan: ExchangePlan, turn: number): Promise<void> | null {
  if (!plan.client.pauses || turn % 4 !== 0 || turn > 40) return null;
  return new Promise((resolve) => setTimeout(resolve, turn % 8 === 0 ? 2 : 0));
}

async function readBody(response: HTTPResponse, plan: ExchangePlan, read: Buffer[]): Promise<void> {
  const { reader, act: acting } = plan.client;
  let turn = 0;
  /** Takes a piece; tells whether the plan is to leave it at that. */
  const take = (piece: Buffer): boolean => {
    read.push(Buffer.from(piece));
    return acting === 'destroy' && ++turn > 1;
  };
  switch (reader) {
    case 'readall':
      take(await response.readall());
      return;
    case 'for await':
      for await (const piece of response) {
        if (take(piece)) return;
        await breath(plan, ++turn);
      }
      return;
    case 'encoded':
      response.setEncoding('latin1');
      for await (const piece of response as AsyncIterable<unknown>) {
        if (take(Buffer.from(piece as string, 'latin1'))) return;
        await breath(plan, ++turn);
      }
      return;
    case 'readinto': {
      const view = Buffer.alloc(20_000);
      for (let count = await response.readinto(view); count > 0; count = await response.readinto(view)) {
        if (take(view.subarray(0, count))) return;
        await breath(plan, ++turn);
      }
      return;
    }
    case 'readline':
    case 'read1':
      for (let piece = await response[reader](); piece.length > 0; piece = await response[reader]()) {
        if (take(piece)) return;
        await breath(plan, ++turn);
      }
      return;
    case 'pipe': {
      const sink = new Writable({
        highWaterMark: 3000,
        write(piece: Buffer, _encoding, done) {
          read.push(Buffer.from(piece));
          const rest = breath(plan, ++turn);
          if (rest === null) done();
          else void rest.then(() => done());
        },
      });
      await pipeline(response, sink);
      return;
    }
    case 'data':
    case 'readable':
      await readByEvents(response, plan, take);
  }
}

function readByEvents(
  response: HTTPResponse,
  plan: ExchangePlan,
  take: (piece: Buffer) => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let turn = 0;
    response.once('end', resolve);
    response.once('error', reject);
    response.once('close', resolve);
    if (plan.client.reader === 'data') {
      response.on('data', (piece: Buffer) => {
        if (take(piece)) response.destroy();
        const rest = breath(plan, ++turn);
        if (rest === null) return;
        response.pause();
        void rest.then(() => response.resume());
      });
    } else {
      response.on('readable', () => {
        for (let piece = response.read(); piece !== null; piece = response.read()) {
          if (take(piece)) response.destroy();
        }
      });
    }
  });
}
