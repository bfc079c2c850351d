/** How far a host's clock is from this machine's, as well as one question can tell. */

/** Seconds that a host's clock is ahead of this machine's: at least, and at most. Negative: behind. */
export interface Ahead {
  readonly least: number;
  readonly most: number;
}

/**
 * @param time what the host said, whole seconds since the epoch; 0: it could not
 * @param asked by this machine's clock, in milliseconds since the epoch
 * @param answered the same, later: the host looked at its clock in between
 */
export function aheadOf(time: number, asked: number, answered: number): Ahead | undefined {
  if (!(time > 0) || answered < asked) return undefined;
  return { least: time - answered / 1000, most: time + 1 - asked / 1000 };
}
