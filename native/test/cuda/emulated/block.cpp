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
Range stacks, dynamic, shared_by_cluster;
unsigned blocks_together = 1;

namespace {

constexpr unsigned kLanes = 32, kMostThreads = 1024;
constexpr size_t kMostShared = 227 << 10;
constexpr uint32_t kAll = 0xffffffffu;
constexpr size_t kStack = 128 << 10;
// Tops of stacks that were a power of two apart would all want the same lines of the cache.
constexpr size_t kStride = kStack + 4096 + 192;
constexpr uint64_t kCanary = 0x5ca1ab1e0ddba11u;

enum class State : uint8_t { fresh, ready, together, block, cluster, until, done };

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

struct Block {
  std::vector<Lane> lanes;
  std::vector<Warp> warps;
  unsigned left = 0, waiting = 0;  // threads that have not ended, and of these at the block's barrier
  unsigned meeting = 0;            // at the cluster's
  unsigned until = 0;              // and that wait for something else
  uint32_t barriers = 0;
  Where barrier;
};

/// All of a launch; there is one at a time.
struct Launch {
  void* host = nullptr;
  std::vector<Block> blocks;  // of the cluster
  Block* here = nullptr;
  Where meeting;
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

unsigned char* bottom_of(unsigned thread) {
  return reinterpret_cast<unsigned char*>(stacks.begin + (running.rank * kMostThreads + thread) * kStride);
}

/// What follows is of that block of the cluster.
void turn_to(unsigned rank) {
  now.here = &now.blocks[rank];
  running.rank = rank;
  const uintptr_t begin = shared_by_cluster.begin + rank * kMostShared;
  dynamic = {begin, begin + (dynamic.end - dynamic.begin)};
}

const char* name_of(Together what) {
  constexpr const char* kNames[] = {"a shuffle", "a reduction", "a vote", "a match", "__syncwarp", "a load of matrices", "a product"};
  return kNames[static_cast<int>(what)];
}

std::string place_of(const Where& where) {
  const std::string path = where.file_name();
  return path.substr(path.rfind('/') + 1) + ":" + std::to_string(where.line());
}

void leave(State state) {
  Lane& lane = now.here->lanes[running.number];
  lane.state = state;
  emulated_switch(&lane.stack, now.host);
}

/// The first that a fiber does.
void begin() {
  now.body(now.parameters);
  in_kernel = false;
  settle();
  --now.here->left;
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
  now.here->lanes[thread].stack = top;
  now.here->lanes[thread].state = State::ready;
}

void resume(unsigned thread) {
  running.number = thread;
  running.index = {thread % running.threads.x, thread / running.threads.x % running.threads.y,
                   thread / running.threads.x / running.threads.y};
  moment.barriers = now.here->barriers;
  moment.warp_barriers = now.here->warps[thread / kLanes].barriers;
  in_kernel = true;
  emulated_switch(&now.host, now.here->lanes[thread].stack);
  in_kernel = false;
  if (*reinterpret_cast<uint64_t*>(bottom_of(thread)) != kCanary) now.problem = "needs a larger stack than the emulation has";
}

/// Where threads of the block wait that will never go on.
std::string deadlock() {
  std::ostringstream text;
  text << "lanes diverge:";
  unsigned shown = 0;
  for (unsigned i = 0; i < now.here->lanes.size() && shown < 4; ++i) {
    const Lane& lane = now.here->lanes[i];
    const bool repeats = i > 0 && lane.state == now.here->lanes[i - 1].state && lane.where.line() == now.here->lanes[i - 1].where.line();
    if (repeats) continue;
    ++shown;
    text << (shown > 1 ? ", " : " ") << "thread " << i;
    if (lane.state == State::done) text << " has ended";
    else if (lane.state == State::until) text << " waits for " << lane.what << " at " << place_of(lane.where);
    else if (lane.state == State::block) text << " waits for the block at " << place_of(lane.where);
    else if (lane.state == State::cluster) text << " waits for the cluster at " << place_of(lane.where);
    else text << " waits for its warp in " << name_of(now.here->warps[i / kLanes].what) << " at " << place_of(lane.where);
  }
  return text.str();
}

/// Threads of the block that are in this state go on.
void go_on(State from) {
  for (unsigned i = 0; i < now.here->lanes.size(); ++i) {
    if (now.here->lanes[i].state != from) continue;
    now.here->lanes[i].state = State::ready;
    now.here->warps[i / kLanes].ready |= 1u << i % kLanes;
  }
}

void open_barrier() {
  now.here->waiting = 0;
  ++now.here->barriers;
  go_on(State::block);
}

/// Of the cluster, once all threads of all blocks that have not ended are there.
void open_meeting() {
  ++moment.meetings;
  for (unsigned rank = 0; rank < now.blocks.size(); ++rank) {
    turn_to(rank);
    now.here->meeting = 0;
    go_on(State::cluster);
  }
}

/// Threads whose condition has come true go on.
void look_again() {
  for (unsigned i = 0; i < now.here->lanes.size(); ++i) {
    Lane& lane = now.here->lanes[i];
    if (lane.state != State::until || !lane.holds(lane.of)) continue;
    --now.here->until;
    lane.state = State::ready;
    now.here->warps[i / kLanes].ready |= 1u << i % kLanes;
  }
}

void prepare_block() {
  Block& block = *now.here;
  const auto threads = static_cast<unsigned>(block.lanes.size());
  block.barriers = 0;
  block.left = threads;
  block.waiting = block.meeting = block.until = 0;
  std::memset(reinterpret_cast<void*>(dynamic.begin), 0xcd, dynamic.end - dynamic.begin);
  for (unsigned i = 0; i < threads; ++i) prepare(i);
  for (unsigned w = 0; w < block.warps.size(); ++w) {
    const unsigned lanes = std::min(kLanes, threads - w * kLanes);
    block.warps[w].ready = lanes == kLanes ? kAll : (1u << lanes) - 1;
    block.warps[w].come = 0;
    block.warps[w].barriers = 0;
  }
}

/// Threads of the block go on as far as they can; whether any did, or now can.
bool go_through(bool backwards) {
  bool moved = false;
  Block& block = *now.here;
  for (unsigned i = 0; i < block.warps.size(); ++i) {
    const unsigned w = backwards ? static_cast<unsigned>(block.warps.size()) - 1 - i : i;
    Warp& warp = block.warps[w];
    while (warp.ready) {
      moved = true;
      const auto lane = static_cast<unsigned>(backwards ? 31 - __builtin_clz(warp.ready) : __builtin_ctz(warp.ready));
      warp.ready &= ~(1u << lane);
      resume(w * kLanes + lane);
      if (!now.problem.empty()) return true;
    }
  }
  if (block.left == 0) return moved;
  if (block.until > 0) look_again();
  if (block.waiting > 0 && block.waiting == block.left) open_barrier();
  return moved || std::any_of(block.warps.begin(), block.warps.end(), [](const Warp& warp) { return warp.ready != 0; });
}

/// Launches go through their threads forwards and backwards in turn: no result may depend on that.
void run_cluster(uint64_t first, bool backwards) {
  const auto cluster = static_cast<unsigned>(now.blocks.size());
  ++moment.cluster;
  moment.meetings = 0;
  begin_block();
  const auto go_to = [&](unsigned rank) {
    turn_to(rank);
    const uint64_t number = first + rank;
    const dim3 grid = running.blocks;
    running.block = {static_cast<unsigned>(number % grid.x), static_cast<unsigned>(number / grid.x % grid.y),
                     static_cast<unsigned>(number / grid.x / grid.y)};
  };
  for (unsigned rank = 0; rank < cluster; ++rank) go_to(rank), prepare_block();
  while (true) {
    bool moved = false;
    unsigned left = 0, meeting = 0, stuck = 0;
    for (unsigned i = 0; i < cluster; ++i) {
      const unsigned rank = backwards ? cluster - 1 - i : i;
      go_to(rank);
      moved = go_through(backwards) || moved;
      if (!now.problem.empty()) return;
      left += now.here->left, meeting += now.here->meeting;
      if (now.here->left > now.here->meeting) stuck = rank;
    }
    if (left == 0) return;
    if (meeting == left) open_meeting();
    else if (!moved) {
      go_to(stuck);
      now.problem = deadlock();
      return;
    }
  }
}

}  // namespace

const uint64_t* gather(Together what, unsigned mask, uint64_t mine, Where where) {
  const Unchecked unchecked;
  settle();
  if (mask != kAll) wrong("uses a mask of some lanes, which the emulation does not know");
  Warp& warp = now.here->warps[running.number / kLanes];
  Lane& lane = now.here->lanes[running.number];
  lane.where = where;
  if (warp.come == 0) warp.what = what;
  else if (warp.what != what) {
    const auto other = static_cast<unsigned>(__builtin_ctz(warp.come));
    wrong(std::string("lanes diverge: this one comes to ") + name_of(what) + " at " + place_of(where) + " while lane " +
          std::to_string(other) + " waits in " + name_of(warp.what) + " at " +
          place_of(now.here->lanes[running.number / kLanes * kLanes + other].where));
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
  if (now.here->waiting++ == 0) now.here->barrier = where;
  else if (now.here->barrier.line() != where.line()) {
    wrong("threads diverge: this one comes to the barrier at " + place_of(where) + " while others wait at " + place_of(now.here->barrier));
  }
  now.here->lanes[running.number].where = where;
  leave(State::block);
}

void sync_cluster(Where where) {
  const Unchecked unchecked;
  settle();
  const bool first = std::all_of(now.blocks.begin(), now.blocks.end(), [](const Block& block) { return block.meeting == 0; });
  if (first) now.meeting = where;
  else if (now.meeting.line() != where.line()) {
    wrong("threads diverge: this one comes to the cluster's barrier at " + place_of(where) + " while others wait at " + place_of(now.meeting));
  }
  ++now.here->meeting;
  now.here->lanes[running.number].where = where;
  leave(State::cluster);
}

void* in_block(void* own, unsigned rank) {
  const Unchecked unchecked;
  if (rank >= now.blocks.size() || !dynamic.has(own)) wrong("looks for shared memory in block " + std::to_string(rank) + " of its cluster");
  return reinterpret_cast<void*>(shared_by_cluster.begin + rank * kMostShared + (reinterpret_cast<uintptr_t>(own) - dynamic.begin));
}

bool may_share(const void* at, size_t bytes) {
  const uintptr_t from = reinterpret_cast<uintptr_t>(at) - shared_by_cluster.begin;
  return from % kMostShared + bytes <= dynamic.end - dynamic.begin && now.blocks[from / kMostShared].left > 0;
}

void wait_until(bool (*holds)(const void*), const void* of, const char* what, Where where) {
  const Unchecked unchecked;
  settle();
  if (holds(of)) return;
  Lane& lane = now.here->lanes[running.number];
  lane.where = where;
  lane.holds = holds, lane.of = of, lane.what = what;
  ++now.here->until;
  leave(State::until);
}

void wrong(const std::string& what) {
  now.problem = what;
  leave(State::done);
  __builtin_unreachable();
}

void run(unsigned cluster, dim3 grid, dim3 block, size_t shared, const char* kernel, void (*body)(const void*),
         const void* parameters, size_t bytes) {
  const std::lock_guard lock(one_at_a_time);
  static bool backwards = false;
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  if (threads == 0 || threads > kMostThreads || shared > kMostShared || grid.x == 0 || grid.y == 0 || grid.z == 0 ||
      grid.y > 65535 || grid.z > 65535 || cluster == 0 || cluster > kMostBlocks || grid.x % cluster != 0) {
    return failed(std::string(kernel) + " cannot be launched");
  }
  now.body = body;
  now.parameters = parameters;
  now.problem.clear();
  now.blocks.assign(cluster, {});
  for (Block& each : now.blocks) each.lanes.assign(threads, {}), each.warps.assign((threads + kLanes - 1) / kLanes, {});
  if (stacks.begin == 0) {
    stacks = reserve(kMostBlocks * kMostThreads * kStride);
    shared_by_cluster = reserve(kMostBlocks * kMostShared);
  }
  blocks_together = cluster;
  shared_by_cluster.end = shared_by_cluster.begin + cluster * kMostShared;
  dynamic = {shared_by_cluster.begin, shared_by_cluster.begin + shared};
  give(parameters, bytes);
  running.blocks = grid;
  running.threads = block;
  backwards = !backwards;
  const uint64_t clusters = uint64_t{grid.x} * grid.y * grid.z / cluster;
  for (uint64_t i = 0; i < clusters && now.problem.empty(); ++i) {
    run_cluster((backwards ? clusters - 1 - i : i) * cluster, backwards);
  }
  take_back(parameters);
  if (now.problem.empty()) return;
  failed("block " + std::to_string(running.block.x) + ", thread " + std::to_string(running.number) + ": " + now.problem);
}

}  // namespace emulated
