/**
 * The two sides of a body as they know each other: who brings its bytes, and where they go.
 *
 * A link delivers to a `BodySink` without knowing what reads there; a reader knows whoever brings the bytes as a `BodySource`, be it an
 * exchange, a decoder or a download that goes on. Neither owns the other.
 */

/** Where the bytes of a body go. None of it throws. */
export interface BodySink {
  /**
   * More of the body. The sink keeps the bytes.
   *
   * @returns false when the source should wait until `resume`
   */
  deliver(bytes: Buffer): boolean;
  /** More of the body that is only lent for the call. The same answer. */
  deliverLent(bytes: Buffer): boolean;
  /** Where the next bytes of the body may be received straight into; null for anywhere. To be asked right before. */
  directTarget(): Buffer | null;
  /** So many bytes were received into `directTarget`. */
  received(count: number): void;
  /** Whether bytes are best received where they can be copied from at once: a reader with memory of its own is likely to ask. */
  readonly fillsViews: boolean;
}

/** Where a body's bytes come from. */
export interface BodySource {
  /** The reader wants bytes and has none. Called each time it asks. */
  resume(): void;
  /** The body was given up with bytes unread, whether all of them had arrived or not; `error` is what `destroy` was called with. */
  abort(error: Error | null): void;
  /** The body was read to its end: the source is let go. Called once, possibly from within the call that says `finish`. */
  consumed(): void;
}
