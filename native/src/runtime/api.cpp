// The C interface: turns exceptions into a status and a line of text, and guards lifetimes.
#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <string_view>
#include <utility>

#include "runtime/describe.h"
#include "runtime/engine.h"
#include "runtime/failure.h"
#include "runtime/handles.h"
#include "runtime/nvtx_ranges.h"
#include "runtime/opened.h"
#include "runtime/sources.h"
#include "schemoe.h"
#include "tcp/part_engine.h"
#ifdef SCHEMOE_WITH_CUDA
#include "nccl/library.h"
#endif

#define SCHEMOE_ENTRY extern "C" __attribute__((visibility("default")))

namespace {

using schemoe::fail;
using schemoe::Failure;

// More ranks would be more threads than a machine gives a process.
constexpr uint64_t kMostRanks = 1024;

constexpr uint32_t kCudaFlags = SCHEMOE_TF32 | SCHEMOE_NO_GRAPHS | SCHEMOE_NO_TIMES | SCHEMOE_NO_TUNING;

struct Session;
struct Started;

/// A Program of an engine, which is null once the engine is closed.
struct Prepared {
  std::weak_ptr<Session> session;
  std::unique_ptr<const schemoe::Program> program;
  uint32_t runs = 0;  // guarded by the session's mutex
};

/// An engine, and the calls that are inside, so that closing can wait for them.
struct Session {
  std::unique_ptr<schemoe::Engine> engine;
  std::mutex mutex;
  std::condition_variable left;
  uint32_t inside = 0;
  bool closing = false;
  /// Freed before the engine, whose memory they may use.
  std::set<std::shared_ptr<Prepared>> programs;
  /// The run that schemoe_start began and nothing ends yet.
  std::shared_ptr<Started> started;
};

using Engines = schemoe::Handles<schemoe_engine, Session>;
using Programs = schemoe::Handles<schemoe_program, Prepared>;

Engines& engines() {
  static Engines list;
  return list;
}

Programs& programs() {
  static Programs list;
  return list;
}

template <class Body>
int32_t guard(schemoe_failure* failure, Body&& body) noexcept {
  try {
    body();
    if (failure) *failure = {SCHEMOE_OK, SCHEMOE_NONE, SCHEMOE_NONE, SCHEMOE_NONE, {}, {}};
    return SCHEMOE_OK;
  } catch (...) {
    const Failure what = schemoe::caught();
    if (failure) *failure = what.record();
    return what.status();
  }
}

/// A call that is inside an engine.
class Inside {
 public:
  explicit Inside(const schemoe_engine* handle) : Inside(engines().find(handle)) {}
  explicit Inside(std::shared_ptr<Session> session) : session_(std::move(session)) {
    if (!session_) fail(SCHEMOE_CLOSED, "Cannot use the engine: it is not open");
    const std::lock_guard lock(session_->mutex);
    if (session_->closing) fail(SCHEMOE_CLOSED, "Cannot use the engine: it is closing");
    ++session_->inside;
  }
  ~Inside() {
    const std::lock_guard lock(session_->mutex);
    if (--session_->inside == 0) session_->left.notify_all();
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  schemoe::Engine* operator->() const { return session_->engine.get(); }
  const std::shared_ptr<Session>& session() const { return session_; }

 private:
  std::shared_ptr<Session> session_;
};

/// A run of a Program, which cannot be released meanwhile.
class Running {
 public:
  Running(const std::shared_ptr<Session>& session, const schemoe_program* handle)
      : session_(*session), prepared_(programs().find(handle)) {
    if (!prepared_) fail(SCHEMOE_INVALID, "Cannot run the Program: there is none, or it was released");
    if (prepared_->session.lock() != session) fail(SCHEMOE_INVALID, "Cannot run the Program: it was prepared by another engine");
    const std::lock_guard lock(session_.mutex);
    if (!prepared_->program) fail(SCHEMOE_INVALID, "Cannot run the Program: it was released");
    ++prepared_->runs;
  }
  ~Running() {
    const std::lock_guard lock(session_.mutex);
    --prepared_->runs;
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  const schemoe::Program& program() const { return *prepared_->program; }

 private:
  Session& session_;
  const std::shared_ptr<Prepared> prepared_;
};

/// A run between two calls, which is inside the engine all the while.
struct Started {
  Started(const schemoe_engine* engine, const schemoe_program* handle) : inside(engine), running(inside.session(), handle) {}
  const Inside inside;
  const Running running;
};

/// What was started, which is the caller's to end; null where nothing was.
std::shared_ptr<Started> take_started(Session& session) {
  const std::lock_guard lock(session.mutex);
  return std::exchange(session.started, nullptr);
}

schemoe_engine* open_session(std::unique_ptr<schemoe::Engine> engine) {
  auto session = std::make_shared<Session>();
  session->engine = std::move(engine);
  schemoe_engine* const handle = engines().add(session);
  try {
    schemoe::close_with_thread(handle);
  } catch (...) {
    engines().take(handle);
    throw;
  }
  return handle;
}

#ifdef SCHEMOE_WITH_CUDA
void put(std::string_view text, char* to, size_t bytes) noexcept {
  if (bytes == 0) return;
  const size_t count = std::min(text.size(), bytes - 1);
  std::memcpy(to, text.data(), count);
  to[count] = 0;
}

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
schemoe::PartEngine& part_of(const Inside& inside) {
  auto* part = dynamic_cast<schemoe::PartEngine*>(inside.operator->());
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
  auto part = std::make_unique<schemoe::PartEngine>(options);
  *port = part->port();
  *engine = open_session(std::move(part));
}

}  // namespace

SCHEMOE_ENTRY uint32_t schemoe_abi_version(void) { return SCHEMOE_ABI_VERSION; }

SCHEMOE_ENTRY int32_t schemoe_describe(char* text, size_t text_bytes, schemoe_failure* failure) {
  return guard(failure, [&] {
    need(text, "text");
    const std::string json = schemoe::describe();
    if (json.size() >= text_bytes) {
      fail(SCHEMOE_INVALID, "Cannot describe the library in ", text_bytes, " bytes: ", json.size() + 1, " are needed");
    }
    std::memcpy(text, json.c_str(), json.size() + 1);
  });
}

SCHEMOE_ENTRY int32_t schemoe_open(const schemoe_config* config, schemoe_engine** engine, schemoe_failure* failure) {
  return guard(failure, [&] {
    need(engine, "engine");
    *engine = nullptr;
    const uint32_t ranks = ranks_of(config);
    *engine = open_session(open_engine(*config, ranks));
  });
}

SCHEMOE_ENTRY int32_t schemoe_open_cuda(const schemoe_config* config, const schemoe_cuda* cuda, const char* nccl, const uint32_t* devices, schemoe_engine** engine, schemoe_failure* failure) {
  return guard(failure, [&] {
    need(engine, "engine");
    *engine = nullptr;
    need(cuda, "cuda");
    need(nccl, "nccl");
    if (cuda->devices > 0) need(devices, "devices");
    ranks_of(config);
    if (config->kind != SCHEMOE_CUDA) fail(SCHEMOE_INVALID, "Cannot open a CUDA engine of kind ", config->kind);
#ifdef SCHEMOE_WITH_CUDA
    *engine = open_session(schemoe::open_cuda_engine(cuda_options(*config, *cuda, nccl, devices)));
#else
    fail(SCHEMOE_UNSUPPORTED, "Cannot open an engine of kind ", config->kind, ": the library was built without it");
#endif
  });
}

SCHEMOE_ENTRY int32_t schemoe_load_source(uint32_t kind, uint64_t number, const char* name, const char* functions, const uint8_t* image, uint64_t bytes, schemoe_failure* failure) {
  return guard(failure, [&] {
    need(name, "name");
    need(functions, "functions");
    need(image, "image");
    schemoe::load_source(kind, number, name, functions, {image, bytes});
  });
}

SCHEMOE_ENTRY int32_t schemoe_nccl(const char* path, uint32_t* version, char* file, size_t file_bytes, schemoe_failure* failure) {
  return guard(failure, [&] {
    need(path, "path");
    need(version, "version");
    need(file, "file");
#ifdef SCHEMOE_WITH_CUDA
    const schemoe::nccl::Library library = schemoe::nccl::open_library(path);
    *version = static_cast<uint32_t>(library.version);
    put(library.path, file, file_bytes);
#else
    static_cast<void>(file_bytes);
    fail(SCHEMOE_UNSUPPORTED, "Cannot use NCCL: the library was built without CUDA");
#endif
  });
}

SCHEMOE_ENTRY int32_t schemoe_close(schemoe_engine* engine, schemoe_failure* failure) {
  return guard(failure, [&] {
    const std::shared_ptr<Session> session = engines().take(engine);
    if (!session) fail(SCHEMOE_INVALID, "Cannot close the engine: it is not open");
    schemoe::forget_with_thread(engine);
    std::unique_lock lock(session->mutex);
    session->closing = true;
    lock.unlock();
    session->engine->shut_down();
    if (const std::shared_ptr<Started> started = take_started(*session)) {
      try {
        session->engine->end({});
      } catch (...) { /* that the engine is closing, or what nobody is left to hear */
      }
    }
    lock.lock();
    session->left.wait(lock, [&] { return session->inside == 0; });
    for (const std::shared_ptr<Prepared>& prepared : session->programs) prepared->program.reset();
    session->programs.clear();
    lock.unlock();
    session->engine.reset();
  });
}

SCHEMOE_ENTRY int32_t schemoe_allocate(schemoe_engine* engine, const uint64_t* bytes, uint32_t ranks, uint32_t* id, schemoe_failure* failure) {
  return guard(failure, [&] {
    const Inside inside(engine);
    need(bytes, "bytes");
    need(id, "id");
    if (ranks != inside->ranks()) {
      fail(SCHEMOE_INVALID, "Cannot allocate a buffer for ", ranks, " ranks: the engine has ", inside->ranks());
    }
    *id = inside->allocate(*id, {bytes, ranks});
  });
}

SCHEMOE_ENTRY int32_t schemoe_free(schemoe_engine* engine, uint32_t id, schemoe_failure* failure) {
  return guard(failure, [&] { Inside(engine)->free(id); });
}

SCHEMOE_ENTRY int32_t schemoe_write(schemoe_engine* engine, uint32_t id, uint32_t rank, uint64_t offset, const uint8_t* data, uint64_t bytes, schemoe_failure* failure) {
  return guard(failure, [&] {
    const Inside inside(engine);
    if (bytes > 0) need(data, "data");
    inside->write(id, rank, offset, {data, bytes});
  });
}

SCHEMOE_ENTRY int32_t schemoe_read(schemoe_engine* engine, uint32_t id, uint32_t rank, uint64_t offset, uint8_t* data, uint64_t bytes, schemoe_failure* failure) {
  return guard(failure, [&] {
    const Inside inside(engine);
    if (bytes > 0) need(data, "data");
    inside->read(id, rank, offset, {data, bytes});
  });
}

SCHEMOE_ENTRY int32_t schemoe_read_all(schemoe_engine* engine, uint32_t id, uint64_t offset, uint8_t* data, uint64_t bytes, schemoe_failure* failure) {
  return guard(failure, [&] {
    const Inside inside(engine);
    if (bytes > 0) need(data, "data");
    inside->read_all(id, offset, bytes, data);
  });
}

SCHEMOE_ENTRY int32_t schemoe_prepare(schemoe_engine* engine, const uint8_t* packed, uint64_t bytes, schemoe_program** program, schemoe_failure* failure) {
  return guard(failure, [&] {
    const Inside inside(engine);
    need(packed, "packed");
    need(program, "program");
    *program = nullptr;
    const auto prepared = std::make_shared<Prepared>();
    prepared->session = inside.session();
    prepared->program = schemoe::parse_program({packed, bytes}, inside->ranks());
    inside->check(*prepared->program);
    const std::lock_guard lock(inside.session()->mutex);
    const auto kept = inside.session()->programs.insert(prepared).first;
    try {
      *program = programs().add(prepared);
    } catch (...) {
      inside.session()->programs.erase(kept);
      throw;
    }
  });
}

SCHEMOE_ENTRY int32_t schemoe_release(schemoe_program* program, schemoe_failure* failure) {
  return guard(failure, [&] {
    const std::shared_ptr<Prepared> prepared = programs().find(program);
    if (!prepared) fail(SCHEMOE_INVALID, "Cannot release the Program: there is none, or it was released");
    const std::shared_ptr<Session> session = prepared->session.lock();
    std::unique_ptr<const schemoe::Program> freed;
    if (session) {
      std::unique_lock lock(session->mutex);
      if (prepared->runs > 0) fail(SCHEMOE_BUSY, "Cannot release the Program: a run of it is in progress");
      // An engine that is closing frees it itself, in time; any other waits until this is done.
      if (session->closing) lock.unlock();
      else {
        ++session->inside;
        freed = std::move(prepared->program);
        session->programs.erase(prepared);
        lock.unlock();
        freed.reset();
        lock.lock();
        if (--session->inside == 0) session->left.notify_all();
      }
    }
    programs().take(program);
  });
}

SCHEMOE_ENTRY int32_t schemoe_run(schemoe_engine* engine, schemoe_program* program, uint64_t time_limit_ns, schemoe_event* events, uint64_t event_count, schemoe_failure* failure) {
  return guard(failure, [&] {
    const Inside inside(engine);
    const Running running(inside.session(), program);
    const size_t operations = running.program().operations.size();
    if (event_count != operations) {
      fail(SCHEMOE_INVALID, "Cannot run the Program: it has ", operations, " operations and room for ", event_count, " events");
    }
    if (operations > 0) need(events, "events");
    schemoe::NvtxRanges ranges(running.program());
    ranges.begin_run();
    inside->run(running.program(), time_limit_ns, {events, operations});
  });
}

SCHEMOE_ENTRY int32_t schemoe_start(schemoe_engine* engine, schemoe_program* program, uint64_t time_limit_ns, uint32_t* started, schemoe_failure* failure) {
  return guard(failure, [&] {
    need(started, "started");
    *started = 0;
    auto run = std::make_shared<Started>(engine, program);
    Session& session = *run->inside.session();
    if (!run->inside->start(run->running.program(), time_limit_ns)) return;
    {
      const std::lock_guard lock(session.mutex);
      if (!session.closing) {
        session.started = std::move(run);
        *started = 1;
        return;
      }
    }
    run->inside->end({});
    fail(SCHEMOE_CLOSED, "Cannot run the Program: the engine is closing");
  });
}

SCHEMOE_ENTRY int32_t schemoe_end(schemoe_engine* engine, schemoe_event* events, uint64_t event_count, uint32_t wait, uint32_t* ended, schemoe_failure* failure) {
  return guard(failure, [&] {
    need(ended, "ended");
    *ended = 0;
    const Inside inside(engine);
    {
      const std::lock_guard lock(inside.session()->mutex);
      const Started* started = inside.session()->started.get();
      if (!started) fail(SCHEMOE_INVALID, "Cannot end the run: none was started");
      const size_t operations = started->running.program().operations.size();
      if (event_count != operations) {
        fail(SCHEMOE_INVALID, "Cannot end the run: its Program has ", operations, " operations and there is room for ", event_count, " events");
      }
      if (operations > 0) need(events, "events");
    }
    if (wait == 0 && !inside->over()) return;
    const std::shared_ptr<Started> started = take_started(*inside.session());
    if (!started) fail(SCHEMOE_INVALID, "Cannot end the run: another thread ends it");
    *ended = 1;
    inside->end({events, static_cast<size_t>(event_count)});
  });
}

SCHEMOE_ENTRY int32_t schemoe_clock_error(schemoe_engine* engine, uint64_t* error_ns, schemoe_failure* failure) {
  return guard(failure, [&] {
    need(error_ns, "error_ns");
    *error_ns = Inside(engine)->clock_error();
  });
}

SCHEMOE_ENTRY int32_t schemoe_processors(schemoe_engine* engine, uint32_t* of, uint32_t count, schemoe_failure* failure) {
  return guard(failure, [&] {
    need(of, "of");
    const Inside inside(engine);
    const std::vector<uint32_t> found = inside->processors();
    if (found.size() != count) fail(SCHEMOE_INVALID, "Cannot tell the processors of ranks: there are " + std::to_string(found.size()) + " ranks, not " + std::to_string(count));
    std::copy(found.begin(), found.end(), of);
  });
}

SCHEMOE_ENTRY int32_t schemoe_cancel(schemoe_engine* engine, schemoe_failure* failure) {
  return guard(failure, [&] { Inside(engine)->cancel(); });
}

SCHEMOE_ENTRY int32_t schemoe_host_wait(schemoe_engine* engine, uint32_t* operation, uint32_t* rank, uint32_t* id, schemoe_failure* failure) {
  return guard(failure, [&] {
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

SCHEMOE_ENTRY int32_t schemoe_host_done(schemoe_engine* engine, uint32_t operation, uint32_t failed, const char* message, schemoe_failure* failure) {
  return guard(failure, [&] { Inside(engine)->hosts().done(operation, failed != 0, message); });
}

SCHEMOE_ENTRY int32_t schemoe_open_part(const schemoe_config* config, uint32_t first_rank, uint32_t local_ranks, const char* host, const uint8_t* key, uint32_t* port, schemoe_engine** engine, schemoe_failure* failure) {
  return guard(failure, [&] {
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

SCHEMOE_ENTRY int32_t schemoe_open_cuda_part(const schemoe_config* config, const schemoe_cuda* cuda, const char* nccl, const uint32_t* devices, uint32_t first_rank, uint32_t local_ranks, const char* host, const uint8_t* key, uint32_t* port, schemoe_engine** engine, schemoe_failure* failure) {
  return guard(failure, [&] {
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

SCHEMOE_ENTRY int32_t schemoe_connect(schemoe_engine* engine, const schemoe_process* processes, uint32_t count, uint32_t self, uint64_t time_limit_ns, schemoe_failure* failure) {
  return guard(failure, [&] {
    const Inside inside(engine);
    need(processes, "processes");
    part_of(inside).connect({processes, count}, self, time_limit_ns);
  });
}

SCHEMOE_ENTRY int32_t schemoe_clock(schemoe_engine* engine, uint32_t process, uint64_t* now_ns, int64_t* offset_ns, uint64_t* error_ns, schemoe_failure* failure) {
  return guard(failure, [&] {
    const Inside inside(engine);
    need(now_ns, "now_ns");
    need(offset_ns, "offset_ns");
    need(error_ns, "error_ns");
    part_of(inside).clock(process, now_ns, offset_ns, error_ns);
  });
}

SCHEMOE_ENTRY int32_t schemoe_expect(schemoe_engine* engine, uint64_t run, uint64_t start_ns, schemoe_failure* failure) {
  return guard(failure, [&] {
    const Inside inside(engine);
    part_of(inside).expect(run, start_ns);
  });
}
