/** One command in one channel: how it begins, what it gives, how it ends. */
import type { ClientChannel } from "ssh2";
import type { Line } from "./line.ts";

/** How a command ended. Without a code it has failed: a signal, or the connection was lost and nobody knows. */
export interface Ending {
  readonly code: number | null;
  readonly signal?: string;
  readonly lost?: Error;
}

/** A command on its way. Its output must be read, or it never ends. */
export interface Running {
  readonly channel: ClientChannel;
  /** Settles when all output has come, or the connection is lost; never rejects. */
  readonly ended: Promise<Ending>;
}

/** The command was not begun in time. */
export class StartTimeout extends Error {
  override readonly name = "StartTimeout";
}

/** Milliseconds a command has to die by TERM (its traps clean up) before its channel is closed. */
const grace = 1000;

/**
 * Sends a command.
 * @param patience milliseconds to wait for the channel
 * @throws what ssh2 says (with a numeric `reason` when the host would not open a channel), StartTimeout
 */
export function start(line: Line, command: string, patience: number): Promise<Running> {
  return new Promise((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      reject(new StartTimeout("the host did not begin the command"));
    }, patience);
    line.client.exec(command, (error, channel) => {
      clearTimeout(timer);
      if (error) {
        reject(error);
        return;
      }
      channel.on("error", () => undefined);
      channel.stderr.on("error", () => undefined);
      const running = { channel, ended: ending(line, channel) };
      if (late) void stop(running);
      else resolve(running);
    });
  });
}

/**
 * Ends a command that is no longer wanted: TERM, a second later KILL, and the channel closed. Resolves when it has ended, or
 * the second is over. The signals are a courtesy: sshd passes none on before 7.9 (RHEL 7), nor for root, nor to what sudo started,
 * nor does ssh2 after the end of input. `timeout` on the host (see command.ts) is what counts.
 */
export function stop({ channel, ended }: Running): Promise<void> {
  // Nobody reads on; unread output would keep the channel from ending.
  channel.resume();
  channel.stderr.resume();
  channel.signal("TERM");
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      channel.signal("KILL");
      channel.close();
      resolve();
    }, grace);
    void ended.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Whether a refusal to open a channel was the host's word that it has too many (RFC 4254, 5.1), so nothing ran. */
export function refusedChannel(error: unknown): boolean {
  return error instanceof Error && "reason" in error && typeof error.reason === "number";
}

function ending(line: Line, channel: ClientChannel): Promise<Ending> {
  return new Promise((resolve) => {
    let seen: Ending = { code: null };
    channel.once("exit", (code: number | null, signal?: string) => {
      seen = signal === undefined ? { code } : { code, signal };
    });
    const forget = line.onLost((lost) => resolve({ code: null, lost }));
    channel.once("close", () => {
      forget();
      // ssh2 closes every channel when the connection breaks: an exit code seen before that says nothing about the output.
      resolve(line.lost === undefined ? seen : { code: null, lost: line.lost });
    });
  });
}
