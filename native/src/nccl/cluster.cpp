#include "nccl/cluster.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <list>
#include <thread>
#include <utility>

#include "nccl/copies.h"

namespace schemoe::nccl {

namespace {

/// Bytes that each pair of ranks exchanges when it connects.
constexpr uint64_t kGreeting = 16;
constexpr auto kPatience = std::chrono::milliseconds(500);

constexpr uint32_t link_of(uint32_t lane) { return lane - SCHEMOE_INTRA; }

/// NCCL settings for several ranks on a GPU, and nodes on one machine; variables already set stay, and a caller with
/// other threads sets it before (lib/native/environment.ts).
void set_environment(bool emulate) {
  setenv("NCCL_MULTI_RANK_GPU_ENABLE", "1", 0);
  setenv("NCCL_NVLS_ENABLE", "0", 0);
  if (emulate) setenv("NCCL_SOCKET_IFNAME", "lo", 0);
}

/// Calls that NCCL makes together. It ends where an exception leaves it, too: one left open would take in
/// everything that the thread does later.
class Group {
 public:
  explicit Group(const Library& library) : library_(library) { library.check(library.group_start(), "ncclGroupStart"); }
  ~Group() {
    if (!ended_) library_.group_end();
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  Result end() {
    ended_ = true;
    return library_.group_end();
  }

 private:
  const Library& library_;
  bool ended_ = false;
};

/// A stream and memory for one rank's greetings, freed on its GPU.
struct Line {
  Line(const cuda::World& world, uint32_t rank, uint64_t bytes) : world_(world), rank_(rank) {
    world.enter(rank);
    CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    const cudaError_t error = cudaMalloc(reinterpret_cast<void**>(&data), bytes);
    if (error != cudaSuccess) cudaStreamDestroy(stream);
    CUDA_CHECK(error);
  }
  ~Line() {
    world_.leave(rank_);
    cudaStreamDestroy(stream);
    cudaFree(data);
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  cudaStream_t stream = nullptr;
  std::byte* data = nullptr;

 private:
  const cuda::World& world_;
  uint32_t rank_;
};

}  // namespace

Cluster::Cluster(const cuda::World& world, const CudaOptions& options)
    : world_(world), max_ctas_(options.max_ctas == 0 && world.shared() ? kMaxCtas : options.max_ctas) {
  set_environment(options.emulate_nodes);
  own_ = open_library(options.library);
  check_versions(options);
  check_room();
  if (!options.emulate_nodes) {
    parts_.push_back({world.first(), world.count(), &own_, {}});
  } else {
    const uint32_t each = options.ranks_per_node;
    const uint32_t end = world.first() + world.count();
    if (world.first() % each != 0 || end % each != 0) {
      fail(SCHEMOE_INVALID, "Cannot emulate nodes: ranks ", world.first(), " to ", end - 1, " of this process are not whole nodes of ", each);
    }
    world_.enter(world.first());
    for (uint32_t first = world.first(); first < end; first += each) {
      parts_.push_back({first, each, &copy_for_node(options.library, first / each), {}});
    }
  }
  for (Part& part : parts_) part.communicators.assign(part.count * kLinks, nullptr);
}

Cluster::~Cluster() {
  if (aborted_) return;
  // A rank's end waits for that of its peers.
  try {
    each_part([](Part& part, uint32_t) {
      const Group group(*part.library);
      for (Communicator& communicator : part.communicators) {
        if (communicator) part.library->destroy(std::exchange(communicator, nullptr));
      }
    });
  } catch (...) {
    // There is nobody to tell, and without a thread for each part they cannot wait for each other.
    for (Part& part : parts_) {
      for (Communicator& communicator : part.communicators) {
        if (communicator) part.library->abort(std::exchange(communicator, nullptr));
      }
    }
  }
}

void Cluster::check_versions(const CudaOptions&) const {
  if (own_.version >= kSharedGpu || world_.count() == world_.devices()) return;
  fail(SCHEMOE_UNSUPPORTED, "Cannot use NCCL: several ranks share a GPU, which needs version ", version_text(kSharedGpu),
       " or newer, and ", own_.path, " has ", version_text(own_.version),
       "; give the path of a newer one as the option `nccl` or in SCHEMOE_NCCL, or use transport \"copy\"");
}

void Cluster::check_room() const {
  std::vector<uint32_t> ranks(world_.devices());
  for (uint32_t i = 0; i < world_.count(); ++i) ++ranks[static_cast<size_t>(world_.device(world_.first() + i))];
  for (uint32_t device = 0; device < world_.devices(); ++device) {
    int processors = 0;
    CUDA_CHECK(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, world_.ordinal(device)));
    check_room_on({world_.ordinal(device), static_cast<uint32_t>(processors), ranks[device], max_ctas_});
  }
}

/// Runs `body(part, index)` for all parts at once, each on a thread; throws what one of them threw.
template <class Body>
void Cluster::each_part(Body&& body) {
  std::vector<std::optional<Failure>> failures(parts_.size());
  const auto run = [&](uint32_t index) {
    try {
      body(parts_[index], index);
    } catch (...) {
      failures[index] = caught();
    }
  };
  {
    // They join where a later one cannot be started, too.
    std::vector<std::jthread> threads;
    threads.reserve(parts_.size());
    for (uint32_t index = 1; index < parts_.size(); ++index) threads.emplace_back(run, index);
    run(0);
  }
  for (const auto& failure : failures) {
    if (failure) throw *failure;
  }
}

Ids Cluster::make_ids() const {
  Ids ids;
  for (Id& id : ids) own_.check(own_.unique_id(&id), "ncclGetUniqueId");
  return ids;
}

void Cluster::connect(const Ids& ids) {
  each_part([&](Part& part, uint32_t) { connect_part(part, ids); });
  made_ = true;
  greet();
}

void Cluster::connect_part(Part& part, const Ids& ids) {
  const Library& library = *part.library;
  for (uint32_t link = 0; link < kLinks; ++link) {
    Group group(library);
    for (uint32_t i = 0; i < part.count; ++i) {
      Config config = Config::of_blocks(static_cast<int>(max_ctas_));
      world_.enter(part.first + i);
      library.check(library.init(&part.communicators[i * kLinks + link], static_cast<int>(world_.ranks()), ids[link],
                                 static_cast<int>(part.first + i), &config),
                    "ncclCommInitRankConfig");
    }
    library.check(group.end(), "making NCCL's communicators");
  }
}

/// A few bytes from every rank to every other, on each lane. Memory is taken before and freed after all of
/// it: both may wait for the GPU, where kernels of one part wait for those of another.
void Cluster::greet() {
  const uint64_t half = world_.ranks() * kGreeting;
  std::deque<Line> lines;
  for (uint32_t i = 0; i < world_.count(); ++i) lines.emplace_back(world_, world_.first() + i, 2 * half);
  for (uint32_t lane : {SCHEMOE_INTRA, SCHEMOE_INTER}) {
    each_part([&](Part& part, uint32_t index) {
      std::vector<Move> moves;
      for (uint32_t rank = part.first; rank < part.first + part.count; ++rank) {
        const Line& line = lines[rank - world_.first()];
        for (uint32_t peer = 0; peer < world_.ranks(); ++peer) {
          if (peer == rank) continue;
          std::byte* data = line.data + peer * kGreeting;
          moves.push_back({rank, peer, data, kGreeting, true, line.stream});
          moves.push_back({rank, peer, data + half, kGreeting, false, line.stream});
        }
      }
      world_.enter(part.first);
      post(index, lane, moves);
    });
    for (uint32_t i = 0; i < lines.size(); ++i) {
      world_.enter(world_.first() + i);
      CUDA_CHECK(cudaStreamSynchronize(lines[i].stream));
    }
  }
}

void Cluster::post(uint32_t index, uint32_t lane, const std::vector<Move>& moves) {
  if (moves.empty()) return;
  const Part& part = parts_[index];
  const Library& library = *part.library;
  struct Posting {
    std::atomic<uint32_t>& count;
    explicit Posting(std::atomic<uint32_t>& c) : count(c) { ++count; }
    ~Posting() { --count; }
  } const posting(posting_);
  if (aborted_) fail(SCHEMOE_DEVICE, "NCCL's communicators were aborted");
  Group group(library);
  Result result = kSuccess;
  for (const Move& move : moves) {
    const Communicator communicator = part.communicators[(move.rank - part.first) * kLinks + link_of(lane)];
    const int peer = static_cast<int>(move.peer);
    if (world_.devices() > 1) world_.enter(move.rank);
    result = move.sends ? library.send(move.data, move.bytes, kUint8, peer, communicator, move.stream)
                        : library.receive(move.data, move.bytes, kUint8, peer, communicator, move.stream);
    if (result != kSuccess) break;
  }
  const Result ended = group.end();
  library.check(result, "posting a transfer");
  library.check(ended, "posting a phase");
}

std::optional<Failure> Cluster::error() const {
  if (aborted_) return std::nullopt;
  for (const Part& part : parts_) {
    for (uint32_t i = 0; i < part.communicators.size(); ++i) {
      Result result = kSuccess;
      if (!part.communicators[i]) continue;
      const Result asked = part.library->async_error(part.communicators[i], &result);
      if (asked != kSuccess) result = asked;
      if (result == kSuccess || result == kInProgress) continue;
      const char* detail = part.library->last_error(part.communicators[i]);
      return Failure(SCHEMOE_DEVICE,
                     join("Cannot finish the run: NCCL reports ", part.library->error_string(result), " on rank ",
                          part.first + i / kLinks, " (", kLaneNames[SCHEMOE_INTRA + i % kLinks], " lane)",
                          detail && *detail ? ", " : "", detail ? detail : ""));
    }
  }
  return std::nullopt;
}

void Cluster::abort() {
  aborted_ = true;
  const std::lock_guard lock(aborting_);
  if (std::exchange(ended_, true)) return;
  // A thread inside a call leaves it soon, unless the call waits for a peer that does not come.
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (posting_ > 0 && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::list<std::jthread> threads;
  for (Part& part : parts_) {
    for (Communicator& communicator : part.communicators) {
      if (!communicator) continue;
      try {
        threads.emplace_back([&part, &communicator] { part.library->abort(communicator); });
      } catch (...) {
        // Without a thread one after another: slower, since each may wait for its peers.
        part.library->abort(communicator);
      }
    }
  }
}

}  // namespace schemoe::nccl
