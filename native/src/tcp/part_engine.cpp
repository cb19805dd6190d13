#include "tcp/part_engine.h"

#include <algorithm>
#include <cstring>
#include <thread>

namespace schemoe {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPings = 8;
/// Beyond those only while the quickest took longer than this: on a machine under load most are late.
constexpr int kMostPings = 64;
constexpr int64_t kQuickPing = 1'000'000;
/// How many times longer than any other answer NCCL's connections may take, which are many.
constexpr uint64_t kJoining = 3;

Message request(Kind kind, uint32_t index) {
  Message message{};
  message.kind = kind;
  message.index = index;
  return message;
}

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

}  // namespace

PartEngine::PartEngine(const Options& options) : options_(options), mesh_(options.host, options.key, *this) {
#ifdef SCHEMOE_WITH_CUDA
  if (options.cuda) own_ = open_cuda_ranks(*options.cuda);
#endif
  if (!own_) own_ = open_cpu_ranks(options.ranks, options.first, options.count, mesh_);
}

PartEngine::~PartEngine() {
  mesh_.abort();
  // Nothing ends NCCL's wait for a process that does not come: what waits stays behind, and frees itself if it does.
  if (!own_ || !own_->joining()) return;
  LocalRanks* const waiting = own_.release();
  try {
    std::thread([waiting] { delete waiting; }).detach();
  } catch (...) {
    // Without a thread that could wait it is never freed, which is better than to block or to end the process.
  }
}

void PartEngine::connect(std::span<const schemoe_process> processes, uint32_t self, uint64_t time_limit_ns) {
  const schemoe_process* own = self < processes.size() ? &processes[self] : nullptr;
  const uint64_t end = processes.empty() ? 0 : uint64_t{processes.back().first_rank} + processes.back().ranks;
  if (!own || own->first_rank != options_.first || own->ranks != options_.count || end != options_.ranks) {
    fail(SCHEMOE_INVALID, "Cannot connect the processes: their ranks are not those of this engine");
  }
  mesh_.connect(processes, self, time_limit_ns, own_->receiver());
  if (self != 0) return;
  const std::vector<uint8_t> invitation = own_->invitation();
  if (invitation.empty()) return;
  for (uint32_t process = 1; process < processes.size(); ++process) {
    Message message = request(Kind::join, 0);
    message.bytes = invitation.size();
    mesh_.ask(process, message, invitation);
  }
  own_->accept(invitation);
  own_->joined(kJoining * time_limit_ns);
}

uint32_t PartEngine::process_of(const char* what, uint32_t rank) const {
  mesh_.check();
  const uint32_t process = rank < options_.ranks ? mesh_.process_of(rank) : mesh_.self();
  if (process != mesh_.self() && mesh_.self() != 0) {
    fail_at({.rank = rank}, SCHEMOE_INVALID, "Cannot ", what, " a buffer: the rank belongs to another process");
  }
  return process;
}

uint32_t PartEngine::allocate_own(uint32_t id, std::span<const uint64_t> bytes) {
  if (bytes.size() != options_.count) {
    fail(SCHEMOE_INVALID, "Cannot allocate a buffer for ", bytes.size(), " ranks: this process has ", options_.count);
  }
  std::vector<uint64_t> all(options_.ranks);
  std::copy(bytes.begin(), bytes.end(), all.begin() + options_.first);
  return own_->allocate(id, all);
}

uint32_t PartEngine::allocate(uint32_t id, std::span<const uint64_t> bytes) {
  mesh_.check();
  const uint32_t own = allocate_own(id, bytes.subspan(options_.first, options_.count));
  if (mesh_.self() != 0) return own;
  uint32_t process = 1;
  try {
    for (; process < mesh_.processes().size(); ++process) allocate_in(process, id, own, bytes);
  } catch (const Failure& failure) {
    // A new buffer is in all processes or in none, so that their numbers stay equal.
    if (id == UINT32_MAX && failure.status() != SCHEMOE_PEER) {
      while (--process > 0) mesh_.ask(process, request(Kind::free, own));
      own_->free(own);
    }
    throw;
  }
  return own;
}

void PartEngine::allocate_in(uint32_t process, uint32_t id, uint32_t own, std::span<const uint64_t> bytes) {
  const schemoe_process& other = mesh_.processes()[process];
  Message message = request(Kind::allocate, id);
  message.bytes = uint64_t{other.ranks} * sizeof(uint64_t);
  std::vector<uint8_t> sizes(message.bytes);
  std::memcpy(sizes.data(), bytes.data() + other.first_rank, message.bytes);
  Message answer;
  mesh_.ask(process, message, std::move(sizes), &answer);
  if (answer.index == own) return;
  fail(SCHEMOE_PEER, "Cannot allocate a buffer: it is number ", own, " here and ", answer.index, " in ", mesh_.name_of(process));
}

void PartEngine::free(uint32_t id) {
  mesh_.check();
  own_->free(id);
  if (mesh_.self() != 0) return;
  for (uint32_t process = 1; process < mesh_.processes().size(); ++process) mesh_.ask(process, request(Kind::free, id));
}

void PartEngine::write_own(uint32_t id, uint32_t rank, uint64_t offset, std::span<const uint8_t> data) {
  own_->write(id, rank, offset, data);
}

void PartEngine::read_own(uint32_t id, uint32_t rank, uint64_t offset, std::span<uint8_t> data) {
  own_->read(id, rank, offset, data);
}

void PartEngine::write(uint32_t id, uint32_t rank, uint64_t offset, std::span<const uint8_t> data) {
  const uint32_t process = process_of("write", rank);
  if (process == mesh_.self()) return write_own(id, rank, offset, data);
  do {
    const auto part = data.first(std::min<size_t>(data.size(), kMostBody));
    Message message = request(Kind::write, id);
    message.from = rank;
    message.offset = offset;
    message.bytes = part.size();
    mesh_.ask(process, message, {part.begin(), part.end()});
    offset += part.size();
    data = data.subspan(part.size());
  } while (!data.empty());
}

void PartEngine::read(uint32_t id, uint32_t rank, uint64_t offset, std::span<uint8_t> data) {
  const uint32_t process = process_of("read", rank);
  if (process == mesh_.self()) return read_own(id, rank, offset, data);
  do {
    const auto part = data.first(std::min<size_t>(data.size(), kMostBody));
    Message message = request(Kind::read, id);
    message.from = rank;
    message.offset = offset;
    message.bytes = part.size();
    const std::vector<uint8_t> got = mesh_.ask(process, message);
    if (got.size() != part.size()) fail(SCHEMOE_PEER, "Cannot read a buffer: ", mesh_.name_of(process), " sent ", got.size(), " bytes of ", part.size());
    std::copy(got.begin(), got.end(), part.begin());
    offset += part.size();
    data = data.subspan(part.size());
  } while (!data.empty());
}

void PartEngine::check(const Program& program) const {
  for (const Operation& operation : program.operations) {
    for (const Call& call : slice(program.calls, operation.calls)) {
      if (!std::holds_alternative<Host>(call.arguments)) continue;
      fail_at(place_of(operation), SCHEMOE_UNSUPPORTED,
              "Cannot prepare the Program: an engine of several processes cannot call a host function (give "
              "C++: compressor(), sourceKernels())");
    }
  }
  own_->check(program);
}

void PartEngine::run(const Program& program, uint64_t time_limit_ns, std::span<schemoe_event> events) {
  mesh_.check();
  own_->run(program, time_limit_ns, events);
}

void PartEngine::cancel() {
  mesh_.give_up();
  own_->cancel();
}

void PartEngine::shut_down() {
  mesh_.give_up();
  own_->shut_down();
}

void PartEngine::clock(uint32_t process, uint64_t* now, int64_t* offset_ns, uint64_t* error_ns) {
  mesh_.check();
  if (process >= mesh_.processes().size()) fail(SCHEMOE_INVALID, "Cannot read the clock of process ", process, ": there is none");
  *offset_ns = 0;
  *error_ns = 0;
  if (process != mesh_.self()) {
    // The quickest exchange says most: the other clock was read somewhere in between.
    int64_t shortest = INT64_MAX;
    for (int i = 0; i < kPings || (i < kMostPings && shortest > kQuickPing); ++i) {
      Message answer;
      const int64_t before = now_ns();
      mesh_.ask(process, request(Kind::ping, 0), {}, &answer);
      const int64_t took = now_ns() - before;
      if (took >= shortest) continue;
      shortest = took;
      *offset_ns = answer.time_ns - (before + took / 2);
      *error_ns = static_cast<uint64_t>(took / 2 + 1);
    }
  }
  *now = static_cast<uint64_t>(now_ns());
}

}  // namespace schemoe
