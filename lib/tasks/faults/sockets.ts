/** Connections of this process that native code has made, and their end. @module */

const BOTH = 2; // SHUT_RDWR

/**
 * Numbers of the sockets of all TCP connections, without listening ones: no network ends them,
 * and NCCL's own threads do not survive it.
 */
export function openConnections(): Set<number> {
  const tcp = connected();
  const numbers = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => Number(name));
  return new Set(numbers.filter((number) => {
    try {
      const target = Deno.readLinkSync(`/proc/self/fd/${number}`);
      return tcp.has(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? "");
    } catch {
      return false; // that of the folder itself
    }
  }));
}

/** Inodes of connections: state 1 is TCP_ESTABLISHED. */
function connected(): Set<string> {
  const lines = ["tcp", "tcp6"].flatMap((name) =>
    Deno.readTextFileSync(`/proc/self/net/${name}`).split("\n").slice(1)
  );
  const fields = lines.map((line) => line.trim().split(/\s+/));
  return new Set(fields.filter(([, , , state]) => state === "01").map((field) => field[9]));
}

/** Ends what sockets carry, as a peer that is gone would; gives how many were connected. */
export function shutDown(sockets: Iterable<number>): number {
  const { symbols, close } = libc();
  try {
    return [...sockets].filter((socket) => symbols.shutdown(socket, BOTH) === 0).length;
  } finally {
    close();
  }
}

function libc() {
  const library = Deno.dlopen("libc.so.6", {
    shutdown: { parameters: ["i32", "i32"], result: "i32" }, // int shutdown(int, int)
  });
  return { symbols: library.symbols, close: () => library.close() };
}
