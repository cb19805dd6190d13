// Exchanges by copy engines alone, in no way through the executor: who copies, in which order, and what waits for what.
// Prints a line of JSON for each way and size, with sender, receiver, begin and end in milliseconds of each copy of the last
// round where copies are calls of their own. The first and the last byte of all that arrived are checked.
//
// usage: copy_orders DEVICE,... BYTES...   (a rank on each device, which may come again; bytes from each rank to each other)
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cuda/check.h"

namespace {

using namespace schemoe;

constexpr unsigned kSecondsAtMost = 100;
constexpr int kRounds = 5;
/// Exchanges between two events; more where ranks begin apart, which is a part of the time then.
constexpr int kRepeats = 4, kRepeatsApart = 16;

/// Whose copy engine it is: that of the rank that sends, or of the one that receives.
enum class By { push, pull };
/// linear: from the next rank on, so that no two ranks have the same partner; fixed: from rank 0 on, all the same one first;
/// pairwise: partners by exclusive or; streams: a stream for each partner; batch: one call for all partners, as the engine
/// makes it; overlap: the same, allowed to run beside kernels.
enum class Order { linear, fixed, pairwise, streams, batch, overlap };
/// What a rank waits for: nobody, all ranks after each exchange, or all after each copy.
enum class Waits { nobody, exchanges, copies };

constexpr const char* kBy[] = {"push", "pull"};
constexpr const char* kOrder[] = {"linear", "fixed", "pairwise", "streams", "batch", "batch beside kernels"};
constexpr const char* kWaits[] = {"nobody", "exchanges", "copies"};

struct Way {
  By by;
  Order order;
  Waits waits;
  /// Ranks begin one after another, the last one a whole exchange late.
  bool apart;

  int repeats() const { return apart ? kRepeatsApart : kRepeats; }
};

struct Copy {
  int from, to;
  cudaEvent_t begin = nullptr, end = nullptr;
};

struct Rank {
  int number, device;
  cudaStream_t stream = nullptr;
  std::vector<cudaStream_t> branches;
  cudaEvent_t begin = nullptr, end = nullptr, step = nullptr;
  std::byte* in = nullptr;
  std::byte* out = nullptr;
  std::byte* idle = nullptr;  // what a rank that begins late copies meanwhile, on its own GPU
  std::vector<Copy> copies;   // of the last round
  std::vector<std::pair<cudaEvent_t, cudaEvent_t>> marks;
};

/// What slice `to` of the input of rank `from` is filled with.
int value_of(int from, int to) { return (from * 31 + to * 7 + 1) & 0xff; }

class Exchange {
 public:
  Exchange(const std::vector<int>& devices, uint64_t most) : ranks_(devices.size()) {
    const size_t count = ranks_.size();
    for (size_t i = 0; i < count; ++i) {
      Rank& rank = ranks_[i];
      rank.number = static_cast<int>(i);
      rank.device = devices[i];
      CUDA_CHECK(cudaSetDevice(rank.device));
      for (int other : devices) reach(rank.device, other);
      CUDA_CHECK(cudaStreamCreateWithFlags(&rank.stream, cudaStreamNonBlocking));
      rank.branches.resize(count);
      for (cudaStream_t& branch : rank.branches) CUDA_CHECK(cudaStreamCreateWithFlags(&branch, cudaStreamNonBlocking));
      CUDA_CHECK(cudaEventCreate(&rank.begin));
      CUDA_CHECK(cudaEventCreate(&rank.end));
      CUDA_CHECK(cudaEventCreateWithFlags(&rank.step, cudaEventDisableTiming));
      CUDA_CHECK(cudaMalloc(reinterpret_cast<void**>(&rank.in), most * count));
      CUDA_CHECK(cudaMalloc(reinterpret_cast<void**>(&rank.out), most * count));
      CUDA_CHECK(cudaMalloc(reinterpret_cast<void**>(&rank.idle), most * 2));
    }
  }

  void run(uint64_t bytes, const Way& way) {
    fill(bytes);
    std::vector<double> rounds;
    round(bytes, way);
    for (int i = 0; i < kRounds; ++i) rounds.push_back(round(bytes, way));
    check(bytes);
    std::sort(rounds.begin(), rounds.end());
    print(bytes, way, rounds);
  }

 private:
  int count() const { return static_cast<int>(ranks_.size()); }

  static void reach(int from, int to) {
    if (from == to) return;
    int can = 0;
    CUDA_CHECK(cudaDeviceCanAccessPeer(&can, from, to));
    if (!can) fail(SCHEMOE_UNSUPPORTED, "GPU ", from, " cannot reach the memory of GPU ", to);
    if (cudaDeviceEnablePeerAccess(to, 0) != cudaSuccess) cudaGetLastError();  // it is enabled
  }

  void fill(uint64_t bytes) {
    for (Rank& rank : ranks_) {
      CUDA_CHECK(cudaSetDevice(rank.device));
      for (int peer = 0; peer < count(); ++peer) {
        const uint64_t at = static_cast<uint64_t>(peer) * bytes;
        CUDA_CHECK(cudaMemsetAsync(rank.in + at, value_of(rank.number, peer), bytes, rank.stream));
        CUDA_CHECK(cudaMemsetAsync(rank.out + at, 0, bytes, rank.stream));
      }
    }
    synchronize();
  }

  void check(uint64_t bytes) const {
    for (const Rank& rank : ranks_) {
      CUDA_CHECK(cudaSetDevice(rank.device));
      for (int peer = 0; peer < count(); ++peer) {
        if (peer == rank.number) continue;
        for (const uint64_t at : {uint64_t{0}, bytes - 1}) {
          unsigned char got = 0;
          CUDA_CHECK(cudaMemcpy(&got, rank.out + static_cast<uint64_t>(peer) * bytes + at, 1, cudaMemcpyDeviceToHost));
          if (got != value_of(peer, rank.number)) {
            fail(SCHEMOE_INVALID, "rank ", rank.number, " has ", int{got}, " from rank ", peer, " at byte ", at, " of ", bytes);
          }
        }
      }
    }
  }

  /// Milliseconds of one of the exchanges, on the rank that takes longest.
  double round(uint64_t bytes, const Way& way) {
    for (Rank& rank : ranks_) rank.copies.clear();
    // All of it is enqueued before the first begins, so that no rank waits for the host.
    open_ = false;
    const struct Opener {
      std::atomic<bool>& open;
      ~Opener() { open = true; }
    } opener{open_};
    CUDA_CHECK(cudaSetDevice(ranks_.front().device));
    CUDA_CHECK(cudaLaunchHostFunc(ranks_.front().stream, await, &open_));
    meet();
    for (Rank& rank : ranks_) {
      CUDA_CHECK(cudaSetDevice(rank.device));
      CUDA_CHECK(cudaEventRecord(rank.begin, rank.stream));
      if (!way.apart) continue;
      // A copy inside the GPU takes about a tenth of one over a link.
      for (int i = 0; i < 10 * (count() - 1) * rank.number / count(); ++i) {
        CUDA_CHECK(cudaMemcpyAsync(rank.idle, rank.idle + bytes, bytes, cudaMemcpyDefault, rank.stream));
      }
    }
    for (int i = 0; i < way.repeats(); ++i) {
      exchange(bytes, way);
      if (way.waits == Waits::exchanges) meet();
    }
    for (Rank& rank : ranks_) {
      CUDA_CHECK(cudaSetDevice(rank.device));
      CUDA_CHECK(cudaEventRecord(rank.end, rank.stream));
    }
    open_ = true;
    synchronize();
    float most = 0;
    for (Rank& rank : ranks_) {
      float took = 0;
      CUDA_CHECK(cudaEventElapsedTime(&took, rank.begin, rank.end));
      most = std::max(most, took / static_cast<float>(way.repeats()));
    }
    return static_cast<double>(most);
  }

  void exchange(uint64_t bytes, const Way& way) {
    if (way.order == Order::batch || way.order == Order::overlap) {
      for (Rank& rank : ranks_) batch(rank, bytes, way);
      return;
    }
    if (way.order == Order::streams) {
      for (Rank& rank : ranks_) fork(rank, bytes, way);
      return;
    }
    for (int step = 0; step < steps(way.order); ++step) {
      for (Rank& rank : ranks_) {
        const int peer = partner(rank.number, step, way.order);
        if (peer != rank.number) copy(rank, peer, rank.stream, bytes, way.by);
      }
      if (way.waits == Waits::copies) meet();
    }
  }

  int steps(Order order) const { return order == Order::linear ? count() - 1 : count(); }

  int partner(int rank, int step, Order order) const {
    switch (order) {
      case Order::fixed: return step;
      case Order::pairwise: return rank ^ step;  // with itself first
      default: return (rank + step + 1) % count();
    }
  }

  /// One copy between the rank and another one, by the engine of the GPU of `rank`.
  void copy(Rank& rank, int peer, cudaStream_t stream, uint64_t bytes, By by) {
    CUDA_CHECK(cudaSetDevice(rank.device));
    const auto [begin, end] = marks(rank);
    const Copy copy{by == By::push ? rank.number : peer, by == By::push ? peer : rank.number, begin, end};
    CUDA_CHECK(cudaEventRecord(copy.begin, stream));
    CUDA_CHECK(cudaMemcpyAsync(target(copy, bytes), source(copy, bytes), bytes, cudaMemcpyDefault, stream));
    CUDA_CHECK(cudaEventRecord(copy.end, stream));
    rank.copies.push_back(copy);
  }

  /// The events of its next copy.
  static std::pair<cudaEvent_t, cudaEvent_t> marks(Rank& rank) {
    if (rank.marks.size() == rank.copies.size()) {
      auto& [begin, end] = rank.marks.emplace_back();
      CUDA_CHECK(cudaEventCreate(&begin));
      CUDA_CHECK(cudaEventCreate(&end));
    }
    return rank.marks[rank.copies.size()];
  }

  static void CUDART_CB await(void* open) {
    while (!*static_cast<std::atomic<bool>*>(open)) std::this_thread::yield();
  }

  std::byte* target(const Copy& copy, uint64_t bytes) const {
    return ranks_[static_cast<size_t>(copy.to)].out + static_cast<uint64_t>(copy.from) * bytes;
  }
  std::byte* source(const Copy& copy, uint64_t bytes) const {
    return ranks_[static_cast<size_t>(copy.from)].in + static_cast<uint64_t>(copy.to) * bytes;
  }

  void fork(Rank& rank, uint64_t bytes, const Way& way) {
    CUDA_CHECK(cudaSetDevice(rank.device));
    CUDA_CHECK(cudaEventRecord(rank.step, rank.stream));
    for (int step = 0; step < count() - 1; ++step) {
      const int peer = partner(rank.number, step, Order::linear);
      const cudaStream_t branch = rank.branches[static_cast<size_t>(peer)];
      CUDA_CHECK(cudaStreamWaitEvent(branch, rank.step, 0));
      copy(rank, peer, branch, bytes, way.by);
    }
    for (int step = count() - 1; step > 0; --step) {
      const Copy& made = rank.copies[rank.copies.size() - static_cast<size_t>(step)];
      CUDA_CHECK(cudaStreamWaitEvent(rank.stream, made.end, 0));
    }
  }

  /// Times of its copies are those of the whole call.
  void batch([[maybe_unused]] Rank& rank, [[maybe_unused]] uint64_t bytes, [[maybe_unused]] const Way& way) {
#if CUDART_VERSION >= 13000
    CUDA_CHECK(cudaSetDevice(rank.device));
    std::vector<void*> to;
    std::vector<const void*> from;
    std::vector<size_t> sizes;
    for (int step = 0; step < count() - 1; ++step) {
      const int peer = partner(rank.number, step, Order::linear);
      const Copy copy{way.by == By::push ? rank.number : peer, way.by == By::push ? peer : rank.number};
      to.push_back(target(copy, bytes));
      from.push_back(source(copy, bytes));
      sizes.push_back(bytes);
    }
    cudaMemcpyAttributes attributes{};
    attributes.srcAccessOrder = cudaMemcpySrcAccessOrderStream;
    attributes.flags = way.order == Order::overlap ? cudaMemcpyFlagPreferOverlapWithCompute : cudaMemcpyFlagDefault;
    size_t first = 0;
    CUDA_CHECK(cudaMemcpyBatchAsync(to.data(), from.data(), sizes.data(), sizes.size(), &attributes, &first, 1, rank.stream));
#endif
  }

  /// All ranks go on when the last one has come.
  void meet() {
    for (Rank& rank : ranks_) {
      CUDA_CHECK(cudaSetDevice(rank.device));
      CUDA_CHECK(cudaEventRecord(rank.step, rank.stream));
    }
    for (Rank& rank : ranks_) {
      CUDA_CHECK(cudaSetDevice(rank.device));
      for (const Rank& other : ranks_) CUDA_CHECK(cudaStreamWaitEvent(rank.stream, other.step, 0));
    }
  }

  void synchronize() {
    for (Rank& rank : ranks_) {
      CUDA_CHECK(cudaSetDevice(rank.device));
      CUDA_CHECK(cudaStreamSynchronize(rank.stream));
    }
  }

  void print(uint64_t bytes, const Way& way, const std::vector<double>& rounds) const {
    std::printf("{\"bytes\":%llu,\"by\":\"%s\",\"order\":\"%s\",\"waits\":\"%s\",\"begin\":\"%s\",\"ms\":%.5f,\"fastest\":%.5f",
                static_cast<unsigned long long>(bytes), kBy[static_cast<int>(way.by)], kOrder[static_cast<int>(way.order)],
                kWaits[static_cast<int>(way.waits)], way.apart ? "apart" : "together", rounds[rounds.size() / 2], rounds.front());
    const char* next = ",\"copies\":[";
    for (const Rank& rank : ranks_) {
      for (const Copy& copy : rank.copies) {
        // From one point of time of all ranks, as near as they met.
        float begin = 0, end = 0;
        CUDA_CHECK(cudaEventElapsedTime(&begin, rank.begin, copy.begin));
        CUDA_CHECK(cudaEventElapsedTime(&end, rank.begin, copy.end));
        std::printf("%s[%d,%d,%.5f,%.5f]", next, copy.from, copy.to, static_cast<double>(begin), static_cast<double>(end));
        next = ",";
      }
    }
    if (*next == ',' && next[1] == 0) std::printf("]");
    std::printf("}\n");
    std::fflush(stdout);
  }

  std::vector<Rank> ranks_;
  std::atomic<bool> open_ = true;
};

/// All that make sense for so many ranks.
std::vector<Way> ways(size_t ranks) {
  std::vector<Way> all;
  const bool pairs = (ranks & (ranks - 1)) == 0;
  for (By by : {By::pull, By::push}) {
    for (bool apart : {false, true}) {
      for (Order order : {Order::linear, Order::pairwise}) {
        if (order == Order::pairwise && !pairs) continue;
        for (Waits waits : {Waits::nobody, Waits::exchanges, Waits::copies}) all.push_back({by, order, waits, apart});
      }
      all.push_back({by, Order::fixed, Waits::nobody, apart});
      for (Order order : {Order::streams, Order::batch, Order::overlap}) {
#if CUDART_VERSION < 13000
        if (order != Order::streams) continue;
#endif
        for (Waits waits : {Waits::nobody, Waits::exchanges}) all.push_back({by, order, waits, apart});
      }
    }
  }
  return all;
}

std::vector<int> devices_of(const std::string& text) {
  std::vector<int> devices;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    devices.push_back(std::stoi(text.substr(at, end - at)));
    at = end + 1;
  }
  if (devices.size() < 2) fail(SCHEMOE_INVALID, "one rank has nobody to exchange with: name at least two devices");
  return devices;
}

}  // namespace

int main(int count, char** arguments) {
  alarm(kSecondsAtMost);
  // More streams than the hardware queues of the default would wait for each other.
  setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 0);
  try {
    if (count < 3) fail(SCHEMOE_INVALID, "usage: copy_orders DEVICE,... BYTES...");
    const std::vector<int> devices = devices_of(arguments[1]);
    std::vector<uint64_t> sizes;
    for (int i = 2; i < count; ++i) sizes.push_back(std::stoull(arguments[i]));
    if (*std::min_element(sizes.begin(), sizes.end()) == 0) fail(SCHEMOE_INVALID, "there are no exchanges of 0 bytes");
    Exchange exchange(devices, *std::max_element(sizes.begin(), sizes.end()));
    for (uint64_t bytes : sizes) {
      for (const Way& way : ways(devices.size())) exchange.run(bytes, way);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "copy_orders: %s\n", error.what());
    return 1;
  }
  // Nothing is left to say; memory ends with the process.
  std::_Exit(0);
}
