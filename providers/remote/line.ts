/** One SSH connection, and who may use it. */
import { performance } from "node:perf_hooks";
import type { Duplex } from "node:stream";
import type { Client } from "ssh2";

/** sshd allows 10 sessions a connection (MaxSessions); two are left for luck. */
const mostChannels = 8;

/** A connection that is logged in, shared by several commands at a time. */
export class Line {
  readonly client: Client;
  /** Why the connection is gone; undefined = as far as we know it is there. */
  lost: Error | undefined;
  /** performance.now() of the last time that somebody began or ended. */
  #used = performance.now();
  #limit = mostChannels;
  #busy = 0;
  readonly #queue: (() => void)[] = [];
  readonly #mourners = new Set<(cause: Error) => void>();

  constructor(client: Client) {
    this.client = client;
    let cause: Error | undefined;
    client.on("error", (error: Error) => (cause ??= error));
    client.once("close", () => this.#lose(cause ?? new Error("the other side closed the connection")));
  }

  #lose(cause: Error): void {
    if (this.lost !== undefined) return;
    this.lost = cause;
    for (const mourn of [...this.#mourners]) mourn(cause);
    this.#mourners.clear();
    for (const next of this.#queue.splice(0)) next();
  }

  /** Waits for a free channel. On return the line may be lost: look. */
  async enter(): Promise<void> {
    while (this.#busy >= this.#limit && this.lost === undefined) await new Promise<void>((go) => this.#queue.push(go));
    this.#busy += 1;
    this.#used = performance.now();
  }

  leave(): void {
    this.#busy -= 1;
    this.#used = performance.now();
    this.#queue.shift()?.();
  }

  /** This sshd allows fewer sessions than we thought. Says whether waiting for another command to end can help. */
  narrow(): boolean {
    this.#limit = Math.max(1, this.#busy - 1);
    return this.#busy > 1;
  }

  /** Calls back once when the connection is lost (at once if it is already); the result takes the wish back. */
  onLost(mourn: (cause: Error) => void): () => void {
    if (this.lost !== undefined) mourn(this.lost);
    else this.#mourners.add(mourn);
    return () => this.#mourners.delete(mourn);
  }

  /** Hangs up if nobody has used it for so many seconds; whoever has it in hand finds it lost and opens another. */
  rest(seconds: number): void {
    if (this.#busy > 0 || this.lost !== undefined || performance.now() - this.#used < seconds * 1000) return;
    this.#lose(new Error("nobody used it, so it was closed"));
    this.client.end();
    setTimeout(() => tear(this.client), 2000).unref();
  }

  /** Ends the connection as a broken link does. */
  break(): Promise<void> {
    this.client.destroy();
    return new Promise((resolve) => this.onLost(() => resolve()));
  }

  /** Ends the connection, politely for up to 2 s. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.lost !== undefined) {
        resolve();
        return;
      }
      const hurry = setTimeout(() => tear(this.client), 2000);
      this.onLost(() => {
        clearTimeout(hurry);
        resolve();
      });
      this.client.end();
    });
  }
}

/** ssh2's own `destroy` does nothing after `end`: another side that hangs, or hears nothing of us, would keep us for a quarter of an hour. */
function tear(client: Client): void {
  (client as unknown as { _sock?: Duplex })._sock?.destroy();
}
