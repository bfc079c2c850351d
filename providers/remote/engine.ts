/**
 * Is the engine that started this provider still there? The provider outlives a killed `pulumi`; before every change on a host it
 * asks, and stops when nobody answers (`ground-truth.md`: it went on writing for 10 s).
 */
import { connect } from "node:net";

/** The engine's address is the provider's first argument, `127.0.0.1:port`; without one (a test) nobody has to be asked. */
const address = /^([\d.]+):(\d+)$/.exec(process.argv[2] ?? "");

/**
 * What is printed after the engine died goes into a broken pipe. Unheard, that error would come back to the dynamic provider's own
 * handler, which prints it: for ever, at full speed (seen: 2.7 GB after 2 minutes, with the lock held).
 */
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

/** The engine's `address:port`; undefined = nobody has to be asked. */
export const engineAddress = (): string | undefined => address?.[0];

/** Does the engine's port still answer, within 3 s? */
export const engineAnswers = (): Promise<boolean> =>
  address === null ? Promise.resolve(true) : portAnswers(address[1] ?? "", Number(address[2]));

/** Does anybody listen there, within 3 s? */
export function portAnswers(host: string, port: number): Promise<boolean> {
  return new Promise<boolean>((resolve) => {
    const socket = connect({ host, port, timeout: 3000 });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket
      .on("connect", () => end(true))
      .on("error", () => end(false))
      .on("timeout", () => end(false));
  });
}

/** @throws Error when the engine is gone */
export async function requireEngine(): Promise<void> {
  if (await engineAnswers()) return;
  throw new Error(
    "pulumi is gone (its port no longer answers): nothing more is done; run `pulumi cancel` and `pulumi up` to go on",
  );
}
