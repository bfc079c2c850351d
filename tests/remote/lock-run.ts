/** Runs that want the lock, each in a process of its own (see `lock-runner.ts`), and a link that can become half-open. */
import { type ChildProcess, spawn } from "node:child_process";
import { type AddressInfo, createServer, connect, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Order } from "./lock-runner.ts";

export interface Answer {
  readonly did?: string;
  readonly failed?: string;
  readonly why?: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export class LockRun {
  readonly child: ChildProcess;
  readonly #answers: Answer[] = [];
  readonly #waiting: ((answer: Answer) => void)[] = [];

  constructor(order: Order, engine = "-") {
    const runner = join(import.meta.dirname, "lock-runner.ts");
    const words = ["--disable-warning=ExperimentalWarning", runner, engine, JSON.stringify(order)];
    this.child = spawn(process.execPath, words, { stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: this.child.stdout ?? process.stdin }).on("line", (line) => {
      const answer = JSON.parse(line) as Answer;
      const next = this.#waiting.shift();
      if (next === undefined) this.#answers.push(answer);
      else next(answer);
    });
  }
  /** Its next answer. */
  answer(): Promise<Answer> {
    const there = this.#answers.shift();
    return there === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(there);
  }
  /** Is told a word. */
  async told(word: string): Promise<Answer> {
    this.child.stdin?.write(`${word}\n`);
    return this.answer();
  }
  /** Ends, by itself or killed. */
  async end(how: "end" | NodeJS.Signals = "end"): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    if (how === "end") this.child.stdin?.end();
    else this.child.kill(how);
    await ended;
  }
}

/** A link to a port of this machine. */
export class Link {
  readonly #server;
  readonly #pairs: [Socket, Socket][] = [];
  port = 0;
  #open = true;

  constructor(to: number) {
    this.#server = createServer({ allowHalfOpen: true }, (near) => {
      const far = connect({ port: to, host: "127.0.0.1", allowHalfOpen: true });
      this.#pairs.push([near, far]);
      this.#join(near, far);
      this.#join(far, near);
    });
  }
  #join(from: Socket, to: Socket): void {
    from.on("data", (data) => this.#open && to.write(data));
    from.on("error", () => undefined);
    from.on("close", () => this.#open && to.destroy());
    from.on("end", () => this.#open && to.end());
  }
  listen(): Promise<this> {
    return new Promise((resolve) =>
      this.#server.listen(0, "127.0.0.1", () => {
        this.port = (this.#server.address() as AddressInfo).port;
        resolve(this);
      }),
    );
  }
  /** From now on nothing comes through, and neither end hears what became of the other. */
  freeze(): void {
    this.#open = false;
  }
  close(): void {
    this.#server.close();
    for (const socket of this.#pairs.flat()) socket.destroy();
  }
}
