#include "block.h"

#include <sys/mman.h>

#include <algorithm>
#include <mutex>
#include <sstream>
#include <vector>

#include "memory.h"
#include "runtime.h"

static_assert(sizeof(void*) == 8, "stacks are switched for x86-64");

// void emulated_switch(void** mine, void* other): keeps the stack of the caller and goes on with another.
asm(R"(
.text
.type emulated_switch, @function
emulated_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emulated_switch, .-emulated_switch
)");
extern "C" void emulated_switch(void** mine, void* other);

namespace emulated {

Thread running;
Moment moment;
bool in_kernel = false;
Range stacks, dynamic;

namespace {

constexpr unsigned kLanes = 32, kMostThreads = 1024;
constexpr size_t kMostShared = 227 << 10;
constexpr uint32_t kAll = 0xffffffffu;
constexpr size_t kStack = 128 << 10;
// Tops of stacks that were a power of two apart would all want the same lines of the cache.
constexpr size_t kStride = kStack + 4096 + 192;
constexpr uint64_t kCanary = 0x5ca1ab1e0ddba11u;

enum class State : uint8_t { fresh, ready, together, block, until, done };

struct Lane {
  void* stack = nullptr;
  State state = State::done;
  Where where;
  bool (*holds)(const void*) = nullptr;  // what it waits for
  const void* of = nullptr;
  const char* what = nullptr;
};

struct Warp {
  uint32_t ready = 0, come = 0;  // lanes that can go on, and that wait for the others
  Together what{};
  unsigned turn = 0;
  uint32_t barriers = 0;
  uint64_t values[2][kLanes];  // in turns: some lanes read while others come to the next
};

/// All of a launch; there is one at a time.
struct Launch {
  void* host = nullptr;
  std::vector<Lane> lanes;
  std::vector<Warp> warps;
  unsigned left = 0, waiting = 0;  // threads of the block that have not ended, and of these at its barrier
  unsigned until = 0;              // and that wait for something else
  Where barrier;
  void (*body)(const void*) = nullptr;
  const void* parameters = nullptr;
  std::string problem;
};
Launch now;
std::mutex one_at_a_time;

/// Memory that is kept, from an address that any vector type can lie at.
Range reserve(size_t bytes) {
  const int kind = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  const auto begin = reinterpret_cast<uintptr_t>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, kind, -1, 0));
  return {begin, begin + bytes};
}

unsigned char* bottom_of(unsigned thread) { return reinterpret_cast<unsigned char*>(stacks.begin + thread * kStride); }

const char* name_of(Together what) {
  constexpr const char* kNames[] = {"a shuffle", "a reduction", "a vote", "a match", "__syncwarp", "a load of matrices", "a product"};
  return kNames[static_cast<int>(what)];
}

std::string place_of(const Where& where) {
  const std::string path = where.file_name();
  return path.substr(path.rfind('/') + 1) + ":" + std::to_string(where.line());
}

void leave(State state) {
  Lane& lane = now.lanes[running.number];
  lane.state = state;
  emulated_switch(&lane.stack, now.host);
}

/// The first that a fiber does.
void begin() {
  now.body(now.parameters);
  in_kernel = false;
  settle();
  --now.left;
  leave(State::done);
  __builtin_unreachable();
}

void prepare(unsigned thread) {
  auto* const bottom = bottom_of(thread);
  *reinterpret_cast<uint64_t*>(bottom) = kCanary;
  auto* top = reinterpret_cast<void**>(bottom + kStack);
  *--top = nullptr;  // where a caller's address would be
  *--top = reinterpret_cast<void*>(&begin);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  now.lanes[thread].stack = top;
  now.lanes[thread].state = State::ready;
}

void resume(unsigned thread) {
  running.number = thread;
  running.index = {thread % running.threads.x, thread / running.threads.x % running.threads.y,
                   thread / running.threads.x / running.threads.y};
  moment.warp_barriers = now.warps[thread / kLanes].barriers;
  in_kernel = true;
  emulated_switch(&now.host, now.lanes[thread].stack);
  in_kernel = false;
  if (*reinterpret_cast<uint64_t*>(bottom_of(thread)) != kCanary) now.problem = "needs a larger stack than the emulation has";
}

/// Where threads of the block wait that will never go on.
std::string deadlock() {
  std::ostringstream text;
  text << "lanes diverge:";
  unsigned shown = 0;
  for (unsigned i = 0; i < now.lanes.size() && shown < 4; ++i) {
    const Lane& lane = now.lanes[i];
    const bool repeats = i > 0 && lane.state == now.lanes[i - 1].state && lane.where.line() == now.lanes[i - 1].where.line();
    if (repeats) continue;
    ++shown;
    text << (shown > 1 ? ", " : " ") << "thread " << i;
    if (lane.state == State::done) text << " has ended";
    else if (lane.state == State::until) text << " waits for " << lane.what << " at " << place_of(lane.where);
    else if (lane.state == State::block) text << " waits for the block at " << place_of(lane.where);
    else text << " waits for its warp in " << name_of(now.warps[i / kLanes].what) << " at " << place_of(lane.where);
  }
  return text.str();
}

void open_barrier() {
  now.waiting = 0;
  ++moment.barriers;
  for (unsigned i = 0; i < now.lanes.size(); ++i) {
    if (now.lanes[i].state != State::block) continue;
    now.lanes[i].state = State::ready;
    now.warps[i / kLanes].ready |= 1u << i % kLanes;
  }
}

/// Threads whose condition has come true go on.
void look_again() {
  for (unsigned i = 0; i < now.lanes.size(); ++i) {
    Lane& lane = now.lanes[i];
    if (lane.state != State::until || !lane.holds(lane.of)) continue;
    --now.until;
    lane.state = State::ready;
    now.warps[i / kLanes].ready |= 1u << i % kLanes;
  }
}

/// Launches go through their threads forwards and backwards in turn: no result may depend on that.
void run_block(bool backwards) {
  const auto threads = static_cast<unsigned>(now.lanes.size());
  ++moment.block;
  moment.barriers = 0;
  now.left = threads;
  now.waiting = now.until = 0;
  begin_block();
  std::memset(reinterpret_cast<void*>(dynamic.begin), 0xcd, dynamic.end - dynamic.begin);
  for (unsigned i = 0; i < threads; ++i) prepare(i);
  for (unsigned w = 0; w < now.warps.size(); ++w) {
    const unsigned lanes = std::min(kLanes, threads - w * kLanes);
    now.warps[w].ready = lanes == kLanes ? kAll : (1u << lanes) - 1;
    now.warps[w].come = 0;
    now.warps[w].barriers = 0;
  }
  while (now.left > 0) {
    bool moved = false;
    for (unsigned i = 0; i < now.warps.size(); ++i) {
      const unsigned w = backwards ? static_cast<unsigned>(now.warps.size()) - 1 - i : i;
      Warp& warp = now.warps[w];
      while (warp.ready) {
        moved = true;
        const auto lane = static_cast<unsigned>(backwards ? 31 - __builtin_clz(warp.ready) : __builtin_ctz(warp.ready));
        warp.ready &= ~(1u << lane);
        resume(w * kLanes + lane);
        if (!now.problem.empty()) return;
      }
    }
    if (now.left == 0) return;
    if (now.until > 0) look_again();
    const bool some = std::any_of(now.warps.begin(), now.warps.end(), [](const Warp& warp) { return warp.ready != 0; });
    if (now.waiting == now.left) open_barrier();
    else if (!moved && !some) now.problem = deadlock();
    if (!now.problem.empty()) return;
  }
}

}  // namespace

const uint64_t* gather(Together what, unsigned mask, uint64_t mine, Where where) {
  const Unchecked unchecked;
  settle();
  if (mask != kAll) wrong("uses a mask of some lanes, which the emulation does not know");
  Warp& warp = now.warps[running.number / kLanes];
  Lane& lane = now.lanes[running.number];
  lane.where = where;
  if (warp.come == 0) warp.what = what;
  else if (warp.what != what) {
    const auto other = static_cast<unsigned>(__builtin_ctz(warp.come));
    wrong(std::string("lanes diverge: this one comes to ") + name_of(what) + " at " + place_of(where) + " while lane " +
          std::to_string(other) + " waits in " + name_of(warp.what) + " at " +
          place_of(now.lanes[running.number / kLanes * kLanes + other].where));
  }
  const uint64_t* values = warp.values[warp.turn];
  warp.values[warp.turn][running.number % kLanes] = mine;
  warp.come |= 1u << running.number % kLanes;
  if (warp.come != kAll) {
    leave(State::together);
    return values;
  }
  warp.come = 0;
  warp.turn ^= 1;
  if (what == Together::sync) moment.warp_barriers = ++warp.barriers;
  warp.ready = kAll & ~(1u << running.number % kLanes);
  return values;
}

void sync_block(Where where) {
  const Unchecked unchecked;
  settle();
  if (now.waiting++ == 0) now.barrier = where;
  else if (now.barrier.line() != where.line()) {
    wrong("threads diverge: this one comes to the barrier at " + place_of(where) + " while others wait at " + place_of(now.barrier));
  }
  now.lanes[running.number].where = where;
  leave(State::block);
}

void wait_until(bool (*holds)(const void*), const void* of, const char* what, Where where) {
  const Unchecked unchecked;
  settle();
  if (holds(of)) return;
  Lane& lane = now.lanes[running.number];
  lane.where = where;
  lane.holds = holds, lane.of = of, lane.what = what;
  ++now.until;
  leave(State::until);
}

void wrong(const std::string& what) {
  now.problem = what;
  leave(State::done);
  __builtin_unreachable();
}

void run(dim3 grid, dim3 block, size_t shared, const char* kernel, void (*body)(const void*), const void* parameters,
         size_t bytes) {
  const std::lock_guard lock(one_at_a_time);
  static bool backwards = false;
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  if (threads == 0 || threads > kMostThreads || shared > kMostShared || grid.x == 0 || grid.y == 0 || grid.z == 0 ||
      grid.y > 65535 || grid.z > 65535) {
    return failed(std::string(kernel) + " cannot be launched");
  }
  now.body = body;
  now.parameters = parameters;
  now.problem.clear();
  now.lanes.assign(threads, {});
  now.warps.assign((threads + kLanes - 1) / kLanes, {});
  if (stacks.begin == 0) stacks = reserve(kMostThreads * kStride), dynamic = reserve(kMostShared);
  dynamic.end = dynamic.begin + shared;
  give(parameters, bytes);
  running.blocks = grid;
  running.threads = block;
  backwards = !backwards;
  const uint64_t blocks = uint64_t{grid.x} * grid.y * grid.z;
  for (uint64_t i = 0; i < blocks && now.problem.empty(); ++i) {
    const uint64_t number = backwards ? blocks - 1 - i : i;
    running.block = {static_cast<unsigned>(number % grid.x), static_cast<unsigned>(number / grid.x % grid.y),
                     static_cast<unsigned>(number / grid.x / grid.y)};
    run_block(backwards);
  }
  take_back(parameters);
  if (now.problem.empty()) return;
  failed("block " + std::to_string(running.block.x) + ", thread " + std::to_string(running.number) + ": " + now.problem);
}

}  // namespace emulated
