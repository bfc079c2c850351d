/** Moments that are compared across a sleep of the machine. */
import { uptime } from "node:os";

/** By two clocks: one is set now and then; the other, since the boot and through every sleep, stands still while the machine is halted from outside. */
export interface Moment {
  readonly wall: number;
  readonly up: number;
}

export const now = (): Moment => ({ wall: Date.now(), up: uptime() * 1000 });

/** Milliseconds since then, by the clock that says more. */
export const since = (then: Moment): number => Math.max(Date.now() - then.wall, uptime() * 1000 - then.up);
