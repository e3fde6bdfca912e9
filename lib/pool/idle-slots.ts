/**
 * The idle connections of a pool: taken from the end that was used last, closed when they have been idle for too long.
 *
 * One timer for all of them, however many there are, armed only while there are any: when it fires, what is due is closed and it is armed
 * for the next. It keeps no process alive.
 */
import { MAX_MS } from '../options.js';
import { turnTime } from '../timing.js';
import { Chain } from './chain.js';
import type { Slot } from './slot.js';

/** Connections that are due within so many milliseconds are closed by one turn of the timer. */
const GRAIN_MS = 20;

export class IdleSlots {
  readonly #timeoutMs: number;
  readonly #chain = new Chain<Slot>();
  #timer: NodeJS.Timeout | null = null;
  #armedFor = Infinity;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  get size(): number {
    return this.#chain.size;
  }

  /** Takes in a connection that has just been used; false when it may not be idle at all. */
  add(slot: Slot): boolean {
    const ms = Math.min(this.#timeoutMs, slot.keepAliveMs);
    if (ms <= 0) return false;
    slot.expiresAt = turnTime() + ms;
    this.#chain.push(slot);
    if (slot.expiresAt < this.#armedFor) this.#arm(ms);
    return true;
  }

  remove(slot: Slot): void {
    this.#chain.remove(slot);
  }

  /** The one used last. */
  takeLast(): Slot | null {
    return this.#chain.pop();
  }

  /** The one used longest ago. */
  takeFirst(): Slot | null {
    return this.#chain.shift();
  }

  closeAll(): void {
    for (let slot = this.#chain.shift(); slot !== null; slot = this.#chain.shift()) slot.vacate();
    this.#disarm();
  }

  #arm(ms: number): void {
    if (ms > MAX_MS) return;
    this.#disarm();
    this.#armedFor = performance.now() + ms;
    this.#timer = setTimeout(() => {
      this.#expire();
    }, Math.ceil(ms));
    this.#timer.unref();
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#armedFor = Infinity;
  }

  #expire(): void {
    this.#timer = null;
    this.#armedFor = Infinity;
    const now = performance.now();
    let next = Infinity;
    for (const slot of this.#chain) {
      if (slot.expiresAt <= now + 1) {
        this.#chain.remove(slot);
        slot.vacate();
      } else {
        next = Math.min(next, slot.expiresAt);
      }
    }
    if (next !== Infinity) this.#arm(Math.max(GRAIN_MS, next - now));
  }
}
