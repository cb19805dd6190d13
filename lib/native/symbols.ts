/**
 * The functions of the native library as Deno calls them, and nothing else: `native/include/schemoe.h`
 * says what they do. Calls that block for long are nonblocking.
 * @module
 */

/** With the C declaration beside each entry. */
export const symbols = {
  // uint32_t schemoe_abi_version(void)
  schemoe_abi_version: { parameters: [], result: "u32" },
  // int32_t schemoe_describe(char* text, size_t text_bytes, schemoe_failure* failure)
  schemoe_describe: { parameters: ["buffer", "usize", "buffer"], result: "i32" },
  // int32_t schemoe_open(const schemoe_config* config, schemoe_engine** engine, schemoe_failure* failure)
  schemoe_open: { parameters: ["buffer", "buffer", "buffer"], result: "i32" },
  // int32_t schemoe_open_cuda(const schemoe_config* config, const schemoe_cuda* cuda, const char* nccl, const uint32_t* devices, schemoe_engine** engine, schemoe_failure* failure)
  schemoe_open_cuda: {
    parameters: ["buffer", "buffer", "buffer", "buffer", "buffer", "buffer"],
    result: "i32",
  },
  // int32_t schemoe_load_source(uint32_t kind, uint64_t number, const char* name, const char* functions, const uint8_t* image, uint64_t bytes, schemoe_failure* failure)
  schemoe_load_source: {
    parameters: ["u32", "u64", "buffer", "buffer", "buffer", "u64", "buffer"],
    result: "i32",
  },
  // int32_t schemoe_nccl(const char* path, uint32_t* version, char* file, size_t file_bytes, schemoe_failure* failure)
  schemoe_nccl: {
    parameters: ["buffer", "buffer", "buffer", "usize", "buffer"],
    result: "i32",
  },
  // int32_t schemoe_close(schemoe_engine* engine, schemoe_failure* failure)
  schemoe_close: { parameters: ["pointer", "buffer"], result: "i32" },
  // int32_t schemoe_allocate(schemoe_engine* engine, const uint64_t* bytes, uint32_t ranks, uint32_t* id, schemoe_failure* failure)
  schemoe_allocate: {
    parameters: ["pointer", "buffer", "u32", "buffer", "buffer"],
    result: "i32",
  },
  // int32_t schemoe_free(schemoe_engine* engine, uint32_t id, schemoe_failure* failure)
  schemoe_free: { parameters: ["pointer", "u32", "buffer"], result: "i32" },
  // int32_t schemoe_write(schemoe_engine* engine, uint32_t id, uint32_t rank, uint64_t offset, const uint8_t* data, uint64_t bytes, schemoe_failure* failure)
  schemoe_write: {
    parameters: ["pointer", "u32", "u32", "u64", "buffer", "u64", "buffer"],
    result: "i32",
  },
  // int32_t schemoe_read(schemoe_engine* engine, uint32_t id, uint32_t rank, uint64_t offset, uint8_t* data, uint64_t bytes, schemoe_failure* failure)
  schemoe_read: {
    parameters: ["pointer", "u32", "u32", "u64", "buffer", "u64", "buffer"],
    result: "i32",
  },
  // int32_t schemoe_read_all(schemoe_engine* engine, uint32_t id, uint64_t offset, uint8_t* data, uint64_t bytes, schemoe_failure* failure)
  schemoe_read_all: {
    parameters: ["pointer", "u32", "u64", "buffer", "u64", "buffer"],
    result: "i32",
  },
  // The same ones on a thread of their own, so that the event loop goes on while bytes move.
  schemoe_allocate_async: {
    name: "schemoe_allocate",
    parameters: ["pointer", "buffer", "u32", "buffer", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  schemoe_write_async: {
    name: "schemoe_write",
    parameters: ["pointer", "u32", "u32", "u64", "buffer", "u64", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  schemoe_read_async: {
    name: "schemoe_read",
    parameters: ["pointer", "u32", "u32", "u64", "buffer", "u64", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  // int32_t schemoe_prepare(schemoe_engine* engine, const uint8_t* packed, uint64_t bytes, schemoe_program** program, schemoe_failure* failure)
  schemoe_prepare: {
    parameters: ["pointer", "buffer", "u64", "buffer", "buffer"],
    result: "i32",
  },
  // int32_t schemoe_release(schemoe_program* program, schemoe_failure* failure)
  schemoe_release: { parameters: ["pointer", "buffer"], result: "i32" },
  // int32_t schemoe_run(schemoe_engine* engine, schemoe_program* program, uint64_t time_limit_ns, schemoe_event* events, uint64_t event_count, schemoe_failure* failure)
  schemoe_run: {
    parameters: ["pointer", "pointer", "u64", "buffer", "u64", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  // int32_t schemoe_run(schemoe_engine* engine, schemoe_program* program, uint64_t time_limit_ns, schemoe_event* events, uint64_t event_count, schemoe_failure* failure)
  schemoe_run_now: {
    name: "schemoe_run",
    parameters: ["pointer", "pointer", "u64", "buffer", "u64", "buffer"],
    result: "i32",
  },
  // int32_t schemoe_start(schemoe_engine* engine, schemoe_program* program, uint64_t time_limit_ns, uint32_t* started, schemoe_failure* failure)
  schemoe_start: {
    parameters: ["pointer", "pointer", "u64", "buffer", "buffer"],
    result: "i32",
  },
  // int32_t schemoe_end(schemoe_engine* engine, schemoe_event* events, uint64_t event_count, uint32_t wait, uint32_t* ended, schemoe_failure* failure)
  schemoe_end: {
    parameters: ["pointer", "buffer", "u64", "u32", "buffer", "buffer"],
    result: "i32",
  },
  schemoe_end_async: {
    name: "schemoe_end",
    parameters: ["pointer", "buffer", "u64", "u32", "buffer", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  // int32_t schemoe_clock_error(schemoe_engine* engine, uint64_t* error_ns, schemoe_failure* failure)
  schemoe_clock_error: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  // int32_t schemoe_processors(schemoe_engine* engine, uint32_t* of, uint32_t count, schemoe_failure* failure)
  schemoe_processors: { parameters: ["pointer", "buffer", "u32", "buffer"], result: "i32" },
  // int32_t schemoe_cancel(schemoe_engine* engine, schemoe_failure* failure)
  schemoe_cancel: { parameters: ["pointer", "buffer"], result: "i32" },
  // int32_t schemoe_host_wait(schemoe_engine* engine, uint32_t* operation, uint32_t* rank, uint32_t* id, schemoe_failure* failure)
  schemoe_host_wait: {
    parameters: ["pointer", "buffer", "buffer", "buffer", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  // int32_t schemoe_host_done(schemoe_engine* engine, uint32_t operation, uint32_t failed, const char* message, schemoe_failure* failure)
  schemoe_host_done: {
    parameters: ["pointer", "u32", "u32", "buffer", "buffer"],
    result: "i32",
  },
  // int32_t schemoe_open_part(const schemoe_config* config, uint32_t first_rank, uint32_t local_ranks, const char* host, const uint8_t* key, uint32_t* port, schemoe_engine** engine, schemoe_failure* failure)
  schemoe_open_part: {
    parameters: ["buffer", "u32", "u32", "buffer", "buffer", "buffer", "buffer", "buffer"],
    result: "i32",
  },
  // int32_t schemoe_open_cuda_part(const schemoe_config* config, const schemoe_cuda* cuda, const char* nccl, const uint32_t* devices, uint32_t first_rank, uint32_t local_ranks, const char* host, const uint8_t* key, uint32_t* port, schemoe_engine** engine, schemoe_failure* failure)
  schemoe_open_cuda_part: {
    parameters: [
      "buffer",
      "buffer",
      "buffer",
      "buffer",
      "u32",
      "u32",
      "buffer",
      "buffer",
      "buffer",
      "buffer",
      "buffer",
    ],
    result: "i32",
  },
  // int32_t schemoe_connect(schemoe_engine* engine, const schemoe_process* processes, uint32_t count, uint32_t self, uint64_t time_limit_ns, schemoe_failure* failure)
  schemoe_connect: {
    parameters: ["pointer", "buffer", "u32", "u32", "u64", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  // int32_t schemoe_clock(schemoe_engine* engine, uint32_t process, uint64_t* now_ns, int64_t* offset_ns, uint64_t* error_ns, schemoe_failure* failure)
  schemoe_clock: {
    parameters: ["pointer", "u32", "buffer", "buffer", "buffer", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  // int32_t schemoe_expect(schemoe_engine* engine, uint64_t run, uint64_t start_ns, schemoe_failure* failure)
  schemoe_expect: { parameters: ["pointer", "u64", "u64", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The one entry that every version of the library has. */
export const versionSymbol = {
  // uint32_t schemoe_abi_version(void)
  schemoe_abi_version: { parameters: [], result: "u32" },
} as const satisfies Deno.ForeignLibraryInterface;
