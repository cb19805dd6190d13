import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { SchemoeError } from "../../mod.ts";
import { gatherWorkers, launcher, newToken } from "../../lib/workers/mod.ts";

const from = (variables: Record<string, string>) => launcher((name) => variables[name]);

Deno.test("launcher() reads the variables of torchrun, Open MPI, MPICH and Slurm", () => {
  const local = { host: "127.0.0.1", port: 29500, token: undefined };
  assertEquals(from({ RANK: "1", WORLD_SIZE: "2" }), { process: 1, processes: 2, ...local });
  for (
    const [rank, size] of [
      ["OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"],
      ["PMI_RANK", "PMI_SIZE"],
      ["SLURM_PROCID", "SLURM_NTASKS"],
    ]
  ) assertEquals(from({ [rank]: "0", [size]: "4" }), { process: 0, processes: 4, ...local });
  assertEquals(
    from({
      RANK: "1",
      WORLD_SIZE: "2",
      SLURM_PROCID: "9",
      SLURM_NTASKS: "10",
      MASTER_ADDR: "10.0.0.1",
      MASTER_PORT: "4000",
      SCHEMOE_TOKEN: "t",
    }),
    { process: 1, processes: 2, host: "10.0.0.1", port: 4000, token: "t" },
  );
  assertEquals(from({ MASTER_ADDR: "10.0.0.1" }), undefined);
  // torchrun listens at its own port itself, unless it says that it does not.
  const torchrun = { RANK: "0", WORLD_SIZE: "1", MASTER_PORT: "4000" };
  const agent = (text: string) => from({ ...torchrun, TORCHELASTIC_USE_AGENT_STORE: text })?.port;
  assertEquals([agent("True"), agent("False")], [4001, 4000]);
});

Deno.test("launcher() names the variable that is wrong", () => {
  const problem = (variables: Record<string, string>) =>
    assertThrows(() => from(variables), SchemoeError).message;
  assertMatch(problem({ RANK: "1" }), /RANK is set, but none of WORLD_SIZE/);
  assertMatch(problem({ WORLD_SIZE: "1" }), /WORLD_SIZE is set, but none of RANK/);
  assertMatch(
    problem({ RANK: "2", WORLD_SIZE: "2" }),
    /RANK is "2", not a whole number from 0 to 1/,
  );
  assertMatch(problem({ RANK: "", WORLD_SIZE: "2" }), /RANK is ""/);
  assertMatch(problem({ RANK: "0", WORLD_SIZE: "0" }), /WORLD_SIZE is "0"/);
  assertMatch(problem({ RANK: "0", WORLD_SIZE: "1", MASTER_PORT: "x" }), /MASTER_PORT is "x"/);
});

Deno.test("gatherWorkers() needs a number of processes and a secret", async () => {
  const problem = async (options: Parameters<typeof gatherWorkers>[0]) =>
    (await assertRejects(() => gatherWorkers(options), SchemoeError)).message;
  assertMatch(await problem({}), /give their number/);
  assertMatch(await problem({ processes: 2 }), /set SCHEMOE_TOKEN/);
  assertMatch(
    await problem({ processes: 2, token: newToken(), timeLimit: 0.05 }),
    /process 1 did not join within 0.05 s/,
  );
});
