// The C interface: turns exceptions into a status and a line of text, and guards lifetimes.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <string_view>

#include "runtime/describe.h"
#include "runtime/engine.h"
#include "runtime/failure.h"
#include "runtime/nvtx_ranges.h"
#include "schemoe.h"
#include "tcp/part_engine.h"
#ifdef SCHEMOE_WITH_CUDA
#include "nccl/library.h"
#endif

#define SCHEMOE_ENTRY extern "C" __attribute__((visibility("default")))

struct schemoe_engine {
  std::unique_ptr<schemoe::Engine> engine;
  // Calls that are inside, so that closing can wait for them.
  std::mutex mutex;
  std::condition_variable left;
  uint32_t inside = 0;
  bool closing = false;
};

struct schemoe_program {
  schemoe_engine* engine;
  std::unique_ptr<const schemoe::Program> program;
  std::atomic<uint32_t> runs = 0;
};

namespace {

using schemoe::fail;
using schemoe::Failure;

// More ranks would be more threads than a machine gives a process.
constexpr uint64_t kMostRanks = 1024;

constexpr uint32_t kCudaFlags = SCHEMOE_TF32 | SCHEMOE_NO_GRAPHS | SCHEMOE_NO_TIMES | SCHEMOE_NO_TUNING;

void put(const char* text, char* error, size_t error_bytes) noexcept {
  if (!error || error_bytes == 0) return;
  size_t bytes = std::min(std::strlen(text), error_bytes - 1);
  // Cut between characters of UTF-8, not inside one.
  if (text[bytes] != 0) {
    while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) --bytes;
  }
  std::memcpy(error, text, bytes);
  error[bytes] = 0;
}

template <class Body>
int32_t guard(char* error, size_t error_bytes, Body&& body) noexcept {
  try {
    put("", error, error_bytes);
    body();
    return SCHEMOE_OK;
  } catch (const Failure& failure) {
    put(failure.what(), error, error_bytes);
    return failure.status();
  } catch (const std::bad_alloc&) {
    put("Cannot go on: out of memory", error, error_bytes);
    return SCHEMOE_OUT_OF_MEMORY;
  } catch (const std::exception& exception) {
    put(exception.what(), error, error_bytes);
    return SCHEMOE_INVALID;
  } catch (...) {
    put("Cannot go on: an unknown exception", error, error_bytes);
    return SCHEMOE_INVALID;
  }
}

/// A call that is inside an engine.
class Inside {
 public:
  explicit Inside(schemoe_engine* handle) : handle_(handle) {
    if (!handle) fail(SCHEMOE_INVALID, "Cannot use the engine: its handle is null");
    const std::lock_guard lock(handle->mutex);
    if (handle->closing) fail(SCHEMOE_CLOSED, "Cannot use the engine: it is closing");
    ++handle->inside;
  }
  ~Inside() {
    const std::lock_guard lock(handle_->mutex);
    if (--handle_->inside == 0) handle_->left.notify_all();
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  schemoe::Engine* operator->() const { return handle_->engine.get(); }

 private:
  schemoe_engine* handle_;
};

#ifdef SCHEMOE_WITH_CUDA
schemoe::CudaOptions cuda_options(const schemoe_config& config) {
  schemoe::CudaOptions options;
  options.nodes = config.nodes;
  options.ranks_per_node = config.ranks_per_node;
  options.tf32 = (config.flags & SCHEMOE_TF32) != 0;
  const char* graphs = std::getenv("SCHEMOE_CUDA_GRAPHS");
  options.graphs = (config.flags & SCHEMOE_NO_GRAPHS) == 0 && !(graphs && std::string_view(graphs) == "0");
  options.tune = (config.flags & SCHEMOE_NO_TUNING) == 0;
  options.times = (config.flags & SCHEMOE_NO_TIMES) == 0;
  return options;
}

schemoe::CudaOptions cuda_options(const schemoe_config& config, const schemoe_cuda& cuda, const char* nccl, const uint32_t* devices) {
  schemoe::CudaOptions options = cuda_options(config);
  if (cuda.transport > 1 || cuda.emulate_nodes > 1 || cuda.copy_by > 2 || cuda.slot >= std::max(1u, cuda.slots)) {
    fail(SCHEMOE_INVALID, "Cannot open a CUDA engine: an option is out of range");
  }
  options.nccl = cuda.transport == 1;
  options.emulate_nodes = cuda.emulate_nodes == 1;
  options.copy_by = static_cast<schemoe::CopyBy>(cuda.copy_by);
  options.max_ctas = cuda.max_ctas;
  options.slot = cuda.slot;
  options.slots = std::max(1u, cuda.slots);
  options.library = nccl;
  if (cuda.devices > 0) options.devices.assign(devices, devices + cuda.devices);
  if (options.emulate_nodes && !options.nccl) fail(SCHEMOE_INVALID, "Cannot open a CUDA engine: only NCCL emulates nodes");
  if (options.nccl && cuda.copy_by != 0) fail(SCHEMOE_INVALID, "Cannot open a CUDA engine: NCCL copies in its own way");
  return options;
}
#endif

std::unique_ptr<schemoe::Engine> open_engine(const schemoe_config& config, uint32_t ranks) {
  if (config.kind == SCHEMOE_CPU) return schemoe::open_cpu_engine(ranks);
#ifdef SCHEMOE_WITH_CUDA
  if (config.kind == SCHEMOE_CUDA) return schemoe::open_cuda_engine(cuda_options(config));
#endif
  fail(SCHEMOE_UNSUPPORTED, "Cannot open an engine of kind ", config.kind, ": the library was built without it");
}

/// An engine that schemoe_open_part opened.
schemoe::PartEngine& part_of(const schemoe_engine* handle) {
  auto* part = dynamic_cast<schemoe::PartEngine*>(handle->engine.get());
  if (!part) fail(SCHEMOE_INVALID, "Cannot use the engine: it runs all ranks, there is no other process");
  return *part;
}

template <class T>
void need(const T* pointer, const char* name) {
  if (!pointer) fail(SCHEMOE_INVALID, "Cannot use a null pointer as ", name);
}

/// Ranks of a world. Throws for a configuration of which no engine can be opened.
uint32_t ranks_of(const schemoe_config* config) {
  need(config, "config");
  if (config->abi_version != SCHEMOE_ABI_VERSION) {
    fail(SCHEMOE_INVALID, "Cannot open an engine of version ", config->abi_version, ": the library has version ",
         SCHEMOE_ABI_VERSION);
  }
  const uint32_t known = config->kind == SCHEMOE_CUDA ? kCudaFlags : 0;
  if ((config->flags & ~known) != 0) fail(SCHEMOE_INVALID, "Cannot open an engine with flags ", config->flags);
  const uint64_t ranks = uint64_t{config->nodes} * config->ranks_per_node;
  if (ranks == 0 || ranks > kMostRanks) {
    fail(SCHEMOE_INVALID, "Cannot open an engine of ", ranks, " ranks: 1 to ", kMostRanks, " are possible");
  }
  return static_cast<uint32_t>(ranks);
}

schemoe::PartEngine::Options part_options(const schemoe_config& config, uint32_t first, uint32_t count, const char* host, const uint8_t* key) {
  const uint32_t ranks = ranks_of(&config);
  if (count == 0 || count > ranks || first > ranks - count) {
    fail(SCHEMOE_INVALID, "Cannot open an engine of ranks ", first, " + ", count, " of ", ranks, " (at most ", kMostRanks, ")");
  }
  schemoe::PartEngine::Options options{ranks, first, count, host, {}, {}};
  std::copy_n(key, options.key.size(), options.key.begin());
  return options;
}

void open_part(const schemoe::PartEngine::Options& options, uint32_t* port, schemoe_engine** engine) {
  auto handle = std::make_unique<schemoe_engine>();
  auto part = std::make_unique<schemoe::PartEngine>(options);
  *port = part->port();
  handle->engine = std::move(part);
  *engine = handle.release();
}

}  // namespace

SCHEMOE_ENTRY uint32_t schemoe_abi_version(void) { return SCHEMOE_ABI_VERSION; }

SCHEMOE_ENTRY int32_t schemoe_describe(char* text, size_t text_bytes, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] {
    need(text, "text");
    const std::string json = schemoe::describe();
    if (json.size() >= text_bytes) {
      fail(SCHEMOE_INVALID, "Cannot describe the library in ", text_bytes, " bytes: ", json.size() + 1, " are needed");
    }
    std::memcpy(text, json.c_str(), json.size() + 1);
  });
}

SCHEMOE_ENTRY int32_t schemoe_open(const schemoe_config* config, schemoe_engine** engine, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] {
    need(engine, "engine");
    *engine = nullptr;
    const uint32_t ranks = ranks_of(config);
    auto handle = std::make_unique<schemoe_engine>();
    handle->engine = open_engine(*config, ranks);
    *engine = handle.release();
  });
}

SCHEMOE_ENTRY int32_t schemoe_open_cuda(const schemoe_config* config, const schemoe_cuda* cuda, const char* nccl, const uint32_t* devices, schemoe_engine** engine, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] {
    need(engine, "engine");
    *engine = nullptr;
    need(cuda, "cuda");
    need(nccl, "nccl");
    if (cuda->devices > 0) need(devices, "devices");
    ranks_of(config);
    if (config->kind != SCHEMOE_CUDA) fail(SCHEMOE_INVALID, "Cannot open a CUDA engine of kind ", config->kind);
#ifdef SCHEMOE_WITH_CUDA
    auto handle = std::make_unique<schemoe_engine>();
    handle->engine = schemoe::open_cuda_engine(cuda_options(*config, *cuda, nccl, devices));
    *engine = handle.release();
#else
    fail(SCHEMOE_UNSUPPORTED, "Cannot open an engine of kind ", config->kind, ": the library was built without it");
#endif
  });
}

SCHEMOE_ENTRY int32_t schemoe_nccl(const char* path, uint32_t* version, char* file, size_t file_bytes, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] {
    need(path, "path");
    need(version, "version");
    need(file, "file");
#ifdef SCHEMOE_WITH_CUDA
    const schemoe::nccl::Library library = schemoe::nccl::open_library(path);
    *version = static_cast<uint32_t>(library.version);
    put(library.path.c_str(), file, file_bytes);
#else
    static_cast<void>(file_bytes);
    fail(SCHEMOE_UNSUPPORTED, "Cannot use NCCL: the library was built without CUDA");
#endif
  });
}

SCHEMOE_ENTRY int32_t schemoe_close(schemoe_engine* engine, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] {
    need(engine, "engine");
    const std::unique_ptr<schemoe_engine> owner(engine);
    std::unique_lock lock(engine->mutex);
    engine->closing = true;
    lock.unlock();
    engine->engine->shut_down();
    lock.lock();
    engine->left.wait(lock, [&] { return engine->inside == 0; });
  });
}

SCHEMOE_ENTRY int32_t schemoe_allocate(schemoe_engine* engine, const uint64_t* bytes, uint32_t ranks, uint32_t* id, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] {
    const Inside inside(engine);
    need(bytes, "bytes");
    need(id, "id");
    if (ranks != inside->ranks()) {
      fail(SCHEMOE_INVALID, "Cannot allocate a buffer for ", ranks, " ranks: the engine has ", inside->ranks());
    }
    *id = inside->allocate(*id, {bytes, ranks});
  });
}

SCHEMOE_ENTRY int32_t schemoe_free(schemoe_engine* engine, uint32_t id, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] { Inside(engine)->free(id); });
}

SCHEMOE_ENTRY int32_t schemoe_write(schemoe_engine* engine, uint32_t id, uint32_t rank, uint64_t offset, const uint8_t* data, uint64_t bytes, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] {
    const Inside inside(engine);
    if (bytes > 0) need(data, "data");
    inside->write(id, rank, offset, {data, bytes});
  });
}

SCHEMOE_ENTRY int32_t schemoe_read(schemoe_engine* engine, uint32_t id, uint32_t rank, uint64_t offset, uint8_t* data, uint64_t bytes, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] {
    const Inside inside(engine);
    if (bytes > 0) need(data, "data");
    inside->read(id, rank, offset, {data, bytes});
  });
}

SCHEMOE_ENTRY int32_t schemoe_prepare(schemoe_engine* engine, const uint8_t* packed, uint64_t bytes, schemoe_program** program, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] {
    const Inside inside(engine);
    need(packed, "packed");
    need(program, "program");
    *program = nullptr;
    auto handle = std::make_unique<schemoe_program>();
    handle->engine = engine;
    handle->program = schemoe::parse_program({packed, bytes}, inside->ranks());
    inside->check(*handle->program);
    *program = handle.release();
  });
}

SCHEMOE_ENTRY int32_t schemoe_release(schemoe_program* program, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] {
    need(program, "program");
    if (program->runs > 0) fail(SCHEMOE_BUSY, "Cannot release the Program: a run of it is in progress");
    delete program;
  });
}

SCHEMOE_ENTRY int32_t schemoe_run(schemoe_engine* engine, schemoe_program* program, uint64_t time_limit_ns, schemoe_event* events, uint64_t event_count, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] {
    const Inside inside(engine);
    need(program, "program");
    if (program->engine != engine) fail(SCHEMOE_INVALID, "Cannot run the Program: it was prepared by another engine");
    const size_t operations = program->program->operations.size();
    if (event_count != operations) {
      fail(SCHEMOE_INVALID, "Cannot run the Program: it has ", operations, " operations and room for ", event_count, " events");
    }
    if (operations > 0) need(events, "events");
    struct Running {
      std::atomic<uint32_t>& runs;
      explicit Running(std::atomic<uint32_t>& count) : runs(count) { ++runs; }
      ~Running() { --runs; }
    } const running(program->runs);
    schemoe::NvtxRanges ranges(*program->program);
    ranges.begin_run();
    inside->run(*program->program, time_limit_ns, {events, operations});
  });
}

SCHEMOE_ENTRY int32_t schemoe_clock_error(schemoe_engine* engine, uint64_t* error_ns, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] {
    need(error_ns, "error_ns");
    *error_ns = Inside(engine)->clock_error();
  });
}

SCHEMOE_ENTRY int32_t schemoe_cancel(schemoe_engine* engine, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] { Inside(engine)->cancel(); });
}

SCHEMOE_ENTRY int32_t schemoe_host_wait(schemoe_engine* engine, uint32_t* operation, uint32_t* rank, uint32_t* id, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] {
    const Inside inside(engine);
    need(operation, "operation");
    need(rank, "rank");
    need(id, "id");
    const auto request = inside->hosts().wait();
    *operation = request.operation;
    *rank = request.rank;
    *id = request.id;
  });
}

SCHEMOE_ENTRY int32_t schemoe_host_done(schemoe_engine* engine, uint32_t operation, uint32_t failed, const char* message, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] { Inside(engine)->hosts().done(operation, failed != 0, message); });
}

SCHEMOE_ENTRY int32_t schemoe_open_part(const schemoe_config* config, uint32_t first_rank, uint32_t local_ranks, const char* host, const uint8_t* key, uint32_t* port, schemoe_engine** engine, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] {
    need(engine, "engine");
    *engine = nullptr;
    need(host, "host");
    need(key, "key");
    need(port, "port");
    need(config, "config");
    ranks_of(config);
    if (config->kind != SCHEMOE_CPU || config->flags != 0) {
      fail(SCHEMOE_UNSUPPORTED, "Cannot open an engine of some ranks: it must be a CPU engine without flags; "
                                "schemoe_open_cuda_part opens one on GPUs");
    }
    open_part(part_options(*config, first_rank, local_ranks, host, key), port, engine);
  });
}

SCHEMOE_ENTRY int32_t schemoe_open_cuda_part(const schemoe_config* config, const schemoe_cuda* cuda, const char* nccl, const uint32_t* devices, uint32_t first_rank, uint32_t local_ranks, const char* host, const uint8_t* key, uint32_t* port, schemoe_engine** engine, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] {
    need(engine, "engine");
    *engine = nullptr;
    need(cuda, "cuda");
    need(nccl, "nccl");
    if (cuda->devices > 0) need(devices, "devices");
    need(host, "host");
    need(key, "key");
    need(port, "port");
    ranks_of(config);
    if (config->kind != SCHEMOE_CUDA) fail(SCHEMOE_INVALID, "Cannot open a CUDA engine of kind ", config->kind);
#ifdef SCHEMOE_WITH_CUDA
    schemoe::PartEngine::Options options = part_options(*config, first_rank, local_ranks, host, key);
    options.cuda = cuda_options(*config, *cuda, nccl, devices);
    options.cuda->first = first_rank;
    options.cuda->count = local_ranks;
    open_part(options, port, engine);
#else
    static_cast<void>(first_rank);
    static_cast<void>(local_ranks);
    fail(SCHEMOE_UNSUPPORTED, "Cannot open an engine of kind ", config->kind, ": the library was built without it");
#endif
  });
}

SCHEMOE_ENTRY int32_t schemoe_connect(schemoe_engine* engine, const schemoe_process* processes, uint32_t count, uint32_t self, uint64_t time_limit_ns, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] {
    const Inside inside(engine);
    need(processes, "processes");
    part_of(engine).connect({processes, count}, self, time_limit_ns);
  });
}

SCHEMOE_ENTRY int32_t schemoe_clock(schemoe_engine* engine, uint32_t process, uint64_t* now_ns, int64_t* offset_ns, uint64_t* error_ns, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] {
    const Inside inside(engine);
    need(now_ns, "now_ns");
    need(offset_ns, "offset_ns");
    need(error_ns, "error_ns");
    part_of(engine).clock(process, now_ns, offset_ns, error_ns);
  });
}

SCHEMOE_ENTRY int32_t schemoe_expect(schemoe_engine* engine, uint64_t run, uint64_t start_ns, char* error, size_t error_bytes) {
  return guard(error, error_bytes, [&] {
    const Inside inside(engine);
    part_of(engine).expect(run, start_ns);
  });
}
