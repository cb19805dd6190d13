// All-to-alls as a plain loop of NCCL's sends and receives, in no way through the executor: what the
// engine's are measured beside. Prints a line of JSON for each size.
//
// usage: nccl_plain LIBRARY NODES RANKS_PER_NODE EMULATE_NODES MAX_CTAS DEVICE,... BYTES...
#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cuda/check.h"
#include "nccl/copies.h"
#include "nccl/library.h"

namespace {

using namespace schemoe;
using nccl::Library;

constexpr unsigned kSecondsAtMost = 90;
constexpr int kRounds = 7;
/// Exchanges between two events: as many as the engine's Programs have.
constexpr int kRepeats = 8;
constexpr int kWarmUps = 2;

struct Setup {
  std::string library;
  int nodes, per_node, max_ctas;
  bool emulate;
  std::vector<int> devices;
  std::vector<uint64_t> sizes;

  int ranks() const { return nodes * per_node; }
};

struct Rank {
  int number, device;
  nccl::Communicator communicator = nullptr;
  cudaStream_t stream = nullptr;
  cudaEvent_t begin = nullptr, end = nullptr;
  std::byte* in = nullptr;
  std::byte* out = nullptr;
};

/// What slice `to` of the input of rank `from` is filled with.
int value_of(int from, int to) { return (from * 31 + to * 7 + 1) & 0xff; }

/// Ranks that one host thread drives, over one copy of the library.
class Part {
 public:
  Part(const Setup& setup, const Library& library, int first, int count, const nccl::Id& id)
      : setup_(setup), library_(library), ranks_(static_cast<size_t>(count)) {
    const uint64_t most = *std::max_element(setup.sizes.begin(), setup.sizes.end());
    library.check(library.group_start(), "ncclGroupStart");
    for (int i = 0; i < count; ++i) {
      Rank& rank = ranks_[static_cast<size_t>(i)];
      rank.number = first + i;
      rank.device = setup.devices[static_cast<size_t>(first + i)];
      CUDA_CHECK(cudaSetDevice(rank.device));
      nccl::Config config = nccl::Config::of_blocks(setup.max_ctas);
      library.check(library.init(&rank.communicator, setup.ranks(), id, rank.number, &config), "ncclCommInitRankConfig");
    }
    library.check(library.group_end(), "making NCCL's communicators");
    for (Rank& rank : ranks_) {
      CUDA_CHECK(cudaSetDevice(rank.device));
      CUDA_CHECK(cudaStreamCreateWithFlags(&rank.stream, cudaStreamNonBlocking));
      CUDA_CHECK(cudaEventCreate(&rank.begin));
      CUDA_CHECK(cudaEventCreate(&rank.end));
      CUDA_CHECK(cudaMalloc(reinterpret_cast<void**>(&rank.in), most));
      CUDA_CHECK(cudaMalloc(reinterpret_cast<void**>(&rank.out), most));
    }
  }

  void fill(uint64_t slice) {
    for (Rank& rank : ranks_) {
      CUDA_CHECK(cudaSetDevice(rank.device));
      for (int peer = 0; peer < setup_.ranks(); ++peer) {
        const uint64_t at = static_cast<uint64_t>(peer) * slice;
        CUDA_CHECK(cudaMemsetAsync(rank.in + at, value_of(rank.number, peer), slice, rank.stream));
        CUDA_CHECK(cudaMemsetAsync(rank.out + at, 0, slice, rank.stream));
      }
    }
    synchronize();
  }

  /// Milliseconds of one of `repeats` exchanges, on the rank that takes longest.
  float round(uint64_t slice, int repeats) {
    for (Rank& rank : ranks_) record(rank, rank.begin);
    for (int i = 0; i < repeats; ++i) exchange(slice);
    for (Rank& rank : ranks_) record(rank, rank.end);
    synchronize();
    float most = 0;
    for (Rank& rank : ranks_) {
      float took = 0;
      CUDA_CHECK(cudaEventElapsedTime(&took, rank.begin, rank.end));
      most = std::max(most, took / static_cast<float>(repeats));
    }
    return most;
  }

  /// The first and the last byte of each slice that came.
  void check(uint64_t slice) const {
    for (const Rank& rank : ranks_) {
      CUDA_CHECK(cudaSetDevice(rank.device));
      for (int peer = 0; peer < setup_.ranks(); ++peer) {
        for (const uint64_t at : {uint64_t{0}, slice - 1}) {
          unsigned char got = 0;
          CUDA_CHECK(cudaMemcpy(&got, rank.out + static_cast<uint64_t>(peer) * slice + at, 1, cudaMemcpyDeviceToHost));
          if (got != value_of(peer, rank.number)) {
            fail(SCHEMOE_INVALID, "rank ", rank.number, " has ", int{got}, " from rank ", peer, " at byte ", at, " of ", slice);
          }
        }
      }
    }
  }

 private:
  void exchange(uint64_t slice) {
    library_.check(library_.group_start(), "ncclGroupStart");
    for (Rank& rank : ranks_) {
      CUDA_CHECK(cudaSetDevice(rank.device));
      for (int peer = 0; peer < setup_.ranks(); ++peer) {
        std::byte* from = rank.in + static_cast<uint64_t>(peer) * slice;
        std::byte* to = rank.out + static_cast<uint64_t>(peer) * slice;
        if (peer == rank.number) {
          CUDA_CHECK(cudaMemcpyAsync(to, from, slice, cudaMemcpyDeviceToDevice, rank.stream));
          continue;
        }
        library_.check(library_.send(from, slice, nccl::kUint8, peer, rank.communicator, rank.stream), "ncclSend");
        library_.check(library_.receive(to, slice, nccl::kUint8, peer, rank.communicator, rank.stream), "ncclRecv");
      }
    }
    library_.check(library_.group_end(), "ncclGroupEnd");
  }

  void record(Rank& rank, cudaEvent_t event) {
    CUDA_CHECK(cudaSetDevice(rank.device));
    CUDA_CHECK(cudaEventRecord(event, rank.stream));
  }

  void synchronize() {
    for (Rank& rank : ranks_) {
      CUDA_CHECK(cudaSetDevice(rank.device));
      CUDA_CHECK(cudaStreamSynchronize(rank.stream));
    }
  }

  const Setup& setup_;
  const Library& library_;
  std::vector<Rank> ranks_;
};

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (char c : text) {
    if (c == at) parts.emplace_back();
    else parts.back() += c;
  }
  return parts;
}

Setup setup_of(int count, char** arguments) {
  if (count < 8) {
    fail(SCHEMOE_INVALID, "usage: nccl_plain LIBRARY NODES RANKS_PER_NODE EMULATE_NODES MAX_CTAS DEVICE,... BYTES...");
  }
  Setup setup{arguments[1], std::stoi(arguments[2]), std::stoi(arguments[3]), std::stoi(arguments[5]),
              std::stoi(arguments[4]) != 0, {}, {}};
  for (const std::string& device : split(arguments[6], ',')) setup.devices.push_back(std::stoi(device));
  for (int i = 7; i < count; ++i) setup.sizes.push_back(std::stoull(arguments[i]));
  const auto ranks = static_cast<size_t>(setup.ranks());
  if (setup.devices.size() != ranks) fail(SCHEMOE_INVALID, "there are ", setup.devices.size(), " devices for ", ranks, " ranks");
  for (uint64_t size : setup.sizes) {
    if (size == 0 || size % ranks != 0) fail(SCHEMOE_INVALID, size, " bytes are no slices for ", ranks, " ranks");
  }
  return setup;
}

/// Runs all sizes; each part on a thread of its own, since NCCL may wait for the other side in any call.
void run(const Setup& setup, const std::vector<const Library*>& libraries) {
  nccl::Id id;
  libraries.front()->check(libraries.front()->unique_id(&id), "ncclGetUniqueId");
  const int parts = static_cast<int>(libraries.size());
  const int each = setup.ranks() / parts;
  std::barrier together(parts);
  std::vector<float> took(static_cast<size_t>(parts));
  const auto drive = [&](int index) {
    Part part(setup, *libraries[static_cast<size_t>(index)], index * each, each, id);
    for (uint64_t bytes : setup.sizes) {
      const uint64_t slice = bytes / static_cast<uint64_t>(setup.ranks());
      part.fill(slice);
      std::vector<float> rounds;
      for (int i = -1; i < kRounds; ++i) {
        together.arrive_and_wait();
        took[static_cast<size_t>(index)] = part.round(slice, i < 0 ? kWarmUps : kRepeats);
        together.arrive_and_wait();
        if (i >= 0) rounds.push_back(*std::max_element(took.begin(), took.end()));
      }
      part.check(slice);
      std::sort(rounds.begin(), rounds.end());
      if (index == 0) {
        std::printf("{\"bytes\":%llu,\"ms\":%.5f,\"fastest\":%.5f,\"nccl\":\"%s\"}\n", static_cast<unsigned long long>(bytes),
                    static_cast<double>(rounds[kRounds / 2]), static_cast<double>(rounds.front()),
                    nccl::version_text(libraries.front()->version).c_str());
        std::fflush(stdout);
      }
    }
  };
  std::mutex printing;
  std::vector<std::thread> threads;
  for (int index = 0; index < parts; ++index) {
    threads.emplace_back([&, index] {
      try {
        drive(index);
      } catch (const Failure& failure) {
        const std::lock_guard lock(printing);
        std::fprintf(stderr, "nccl_plain: %s\n", failure.what());
        std::_Exit(1);  // the other threads wait for this one
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

int main(int count, char** arguments) {
  // NCCL waits for ever for a peer that does not come.
  alarm(kSecondsAtMost);
  setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 0);
  setenv("NCCL_MULTI_RANK_GPU_ENABLE", "1", 0);
  setenv("NCCL_NVLS_ENABLE", "0", 0);
  try {
    const Setup setup = setup_of(count, arguments);
    if (setup.emulate) setenv("NCCL_SOCKET_IFNAME", "lo", 0);
    CUDA_CHECK(cudaSetDevice(setup.devices.front()));
    std::vector<const Library*> libraries;
    std::optional<Library> own;
    if (setup.emulate) {
      for (int node = 0; node < setup.nodes; ++node) {
        libraries.push_back(&nccl::copy_for_node(setup.library, static_cast<uint32_t>(node)));
      }
    } else {
      libraries.push_back(&own.emplace(nccl::open_library(setup.library)));
    }
    run(setup, libraries);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "nccl_plain: %s\n", error.what());
    return 1;
  }
  // Nothing is left to say; communicators end with the process.
  std::_Exit(0);
}
