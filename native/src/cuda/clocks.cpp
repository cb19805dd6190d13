#include "cuda/clocks.h"

#include <algorithm>

#include "cuda/kernels/kernels.h"

namespace schemoe::cuda {

namespace {

constexpr uint32_t kRounds = 4;
// How long a comparison holds, and by how much crystals may differ: they are 2.5 us apart by then. It takes some tenths of a
// millisecond, which runs of a few milliseconds should not wait for each time.
constexpr auto kHolds = std::chrono::milliseconds(50);
constexpr double kDrift = 50e-6;

double nanoseconds(cudaEvent_t from, cudaEvent_t to) {
  float milliseconds = 0;
  CUDA_CHECK(cudaEventElapsedTime(&milliseconds, from, to));
  return static_cast<double>(milliseconds) * 1e6;
}

}  // namespace

Clocks::Clocks(const World& world) : world_(world), clocks_(world.devices()) {
  if (clocks_.size() == 1) return;
  for (uint32_t device = 0; device < clocks_.size(); ++device) {
    Clock& clock = clocks_[device];
    world.use(device);
    CUDA_CHECK(cudaStreamCreateWithFlags(&clock.stream, cudaStreamNonBlocking));
    // The first one ends a round of each of the others.
    clock.events.resize(device == 0 ? 1 + (clocks_.size() - 1) * kRounds : kRounds);
    for (cudaEvent_t& event : clock.events) CUDA_CHECK(cudaEventCreate(&event));
  }
}

Clocks::~Clocks() {
  for (uint32_t device = 0; device < clocks_.size(); ++device) {
    world_.try_use(device);
    for (cudaEvent_t event : clocks_[device].events) {
      if (event) cudaEventDestroy(event);
    }
    if (clocks_[device].stream) cudaStreamDestroy(clocks_[device].stream);
  }
}

void Clocks::compare() {
  if (clocks_.size() == 1) return;
  const auto now = std::chrono::steady_clock::now();
  if (compared_ && now - *compared_ < kHolds) return;
  compared_.reset();
  enqueue_rounds();
  Clock& first = clocks_.front();
  CUDA_CHECK(cudaStreamSynchronize(first.stream));
  first.anchor = first.events.front();
  double longest = 0;
  for (uint32_t device = 1; device < clocks_.size(); ++device) {
    Clock& clock = clocks_[device];
    const cudaEvent_t* asked = &first.events[(device - 1) * kRounds];
    double quickest = nanoseconds(asked[0], asked[1]);
    uint32_t best = 0;
    for (uint32_t round = 1; round < kRounds; ++round) {
      const double took = nanoseconds(asked[round], asked[round + 1]);
      if (took < quickest) quickest = took, best = round;
    }
    clock.anchor = clock.events[best];
    clock.anchor_ns = nanoseconds(first.anchor, asked[best]) + quickest / 2;
    longest = std::max(longest, quickest);
  }
  error_ns_ = clocks_.size() == 2 ? longest / 2 : longest;
  compared_ = now;
}

/// All of it before the first begins, so that a round is the time of two signals and not of enqueueing them.
void Clocks::enqueue_rounds() {
  gate_.reset(1);
  const struct Opener {
    Signals& gate;
    ~Opener() { Signals::set(gate.go(0)); }
  } opener{gate_};
  Clock& first = clocks_.front();
  world_.use(0);
  meet_host(gate_.arrived(0), gate_.go(0), gate_.stop(), first.stream);
  const auto tell = [&](cudaEvent_t event, cudaStream_t from, cudaStream_t to) {
    CUDA_CHECK(cudaEventRecord(event, from));
    CUDA_CHECK(cudaStreamWaitEvent(to, event, 0));
  };
  size_t next = 0;
  for (uint32_t device = 1; device < clocks_.size(); ++device) {
    for (cudaEvent_t answered : clocks_[device].events) {
      tell(first.events[next++], first.stream, clocks_[device].stream);
      tell(answered, clocks_[device].stream, first.stream);
    }
  }
  CUDA_CHECK(cudaEventRecord(first.events[next], first.stream));
}

double Clocks::on_first(uint32_t device, cudaEvent_t event) const {
  return clocks_[device].anchor_ns + nanoseconds(clocks_[device].anchor, event);
}

Clocks::Origin Clocks::origin(uint32_t device, cudaEvent_t event) const {
  return {device, event, clocks_.size() == 1 ? 0 : on_first(device, event)};
}

double Clocks::since(const Origin& origin, uint32_t device, cudaEvent_t event) const {
  if (device == origin.device) return nanoseconds(origin.event, event);
  return on_first(device, event) - origin.on_first;
}

double Clocks::error_ns() const {
  if (!compared_) return 0;
  const std::chrono::duration<double, std::nano> held = std::chrono::steady_clock::now() - *compared_;
  return error_ns_ + kDrift * held.count();
}

}  // namespace schemoe::cuda
