#include <algorithm>
#include <chrono>
#include <cstring>
#include <future>
#include <optional>

#include "cuda/buffers.h"
#include "cuda/executor.h"
#include "cuda/sources.h"
#include "cuda/world.h"
#include "runtime/failure.h"
#include "runtime/local_ranks.h"

namespace schemoe {

namespace cuda {
namespace {

/// NCCL's version and the ids of its communicators, which NCCL would believe whatever they are.
struct Invitation {
  int32_t version;
  uint32_t sum;
  nccl::Ids ids;
};

/// FNV-1a of the ids.
uint32_t sum_of(const nccl::Ids& ids) {
  uint32_t sum = 2166136261;
  for (const nccl::Id& id : ids) {
    for (char byte : id) sum = (sum ^ static_cast<uint8_t>(byte)) * 16777619;
  }
  return sum;
}

class CudaEngine final : public LocalRanks, private Receiver {
 public:
  /// `invited`: other processes run some ranks, and NCCL connects them once process 0 invites to it.
  CudaEngine(const CudaOptions& options, bool invited) : world_(options), invited_(invited) {
    lt::library();
    buffers_.emplace(world_);
    executor_.emplace(world_, *buffers_, hosts_, options);
    if (options.nccl && !invited) executor_->connect(executor_->make_ids());
  }

  ~CudaEngine() override {
    if (joining_.valid()) joining_.wait();
    const bool broken = executor_->broken();
    executor_.reset();
    buffers_.reset();
    if (!broken) return;
    // Nothing else brings a GPU's context back after an error in a kernel.
    for (uint32_t device = 0; device < world_.devices(); ++device) {
      world_.try_use(device);
      cudaDeviceReset();
    }
  }

  uint32_t ranks() const override { return world_.ranks(); }
  uint32_t allocate(uint32_t id, std::span<const uint64_t> bytes) override {
    usable();
    return buffers_->allocate(id, bytes);
  }
  void free(uint32_t id) override { buffers_->free(id); }
  void write(uint32_t id, uint32_t rank, uint64_t offset, std::span<const uint8_t> data) override {
    usable();
    buffers_->write(id, rank, offset, data);
  }
  void read(uint32_t id, uint32_t rank, uint64_t offset, std::span<uint8_t> data) override {
    usable();
    buffers_->read(id, rank, offset, data);
  }
  void read_all(uint32_t id, uint64_t offset, uint64_t bytes, uint8_t* data) override {
    usable();
    buffers_->read_all(id, offset, bytes, data);
  }

  void check(const Program& program) const override {
    usable();
    executor_->check_order(program);
    prove_sources(program, world_);
  }

  void run(const Program& program, uint64_t time_limit_ns, std::span<schemoe_event> events) override {
    usable();
    if (invited_) joined(time_limit_ns);
    buffers_->hold();
    const struct Release {
      Buffers& buffers;
      ~Release() { buffers.release(); }
    } release{*buffers_};
    buffers_->check(program);
    world_.enter(world_.first());
    executor_->run(program, time_limit_ns, events);
  }

  bool start(const Program& program, uint64_t time_limit_ns) override {
    usable();
    if (invited_) return false;
    buffers_->hold();
    bool started = false;
    const struct Release {
      Buffers& buffers;
      const bool& started;
      ~Release() {
        if (!started) buffers.release();
      }
    } release{*buffers_, started};
    buffers_->check(program);
    world_.enter(world_.first());
    started = executor_->start(program, time_limit_ns);
    return started;
  }
  bool over() override { return executor_->over(); }
  void end(std::span<schemoe_event> events) override {
    const struct Release {
      Buffers& buffers;
      ~Release() { buffers.release(); }
    } release{*buffers_};
    world_.enter(world_.first());
    executor_->end(events);
  }

  void cancel() override {
    if (joining()) executor_->stop_connecting();
    if (!executor_->cancel()) hosts_.nudge();
  }
  void shut_down() override {
    if (joining()) executor_->stop_connecting();
    executor_->shut_down();
    hosts_.close();
  }
  uint64_t clock_error() const override { return executor_->clock_error(); }
  std::vector<uint32_t> processors() const override {
    std::vector<uint32_t> of(world_.count());
    for (uint32_t i = 0; i < world_.count(); ++i) of[i] = static_cast<uint32_t>(world_.device(world_.first() + i));
    return of;
  }
  HostQueue& hosts() override { return hosts_; }

  void expect(uint64_t run, uint64_t start_ns) override { executor_->expect(run, start_ns); }
  Receiver& receiver() override { return *this; }

  std::vector<uint8_t> invitation() override {
    const nccl::Ids ids = executor_->make_ids();
    const Invitation invitation{executor_->nccl_version(), sum_of(ids), ids};
    std::vector<uint8_t> bytes(sizeof invitation);
    std::memcpy(bytes.data(), &invitation, sizeof invitation);
    return bytes;
  }
  void accept(std::span<const uint8_t> bytes) override {
    Invitation invitation;
    if (bytes.size() != sizeof invitation || joining_.valid()) fail(SCHEMOE_PEER, "Cannot join the communicators: the invitation is malformed");
    std::memcpy(&invitation, bytes.data(), sizeof invitation);
    if (invitation.sum != sum_of(invitation.ids)) {
      fail(SCHEMOE_PEER, "Cannot join the communicators: the ids of process 0 have changed on their way");
    }
    if (invitation.version != executor_->nccl_version()) {
      fail(SCHEMOE_PEER, "Cannot join the communicators: NCCL has version ", nccl::version_text(executor_->nccl_version()),
           " here and ", nccl::version_text(invitation.version), " in process 0");
    }
    joining_ = std::async(std::launch::async, [this, ids = invitation.ids] { executor_->connect(ids); }).share();
  }
  void joined(uint64_t time_limit_ns) override {
    if (!joining_.valid()) fail(SCHEMOE_PEER, "Cannot run the Program: process 0 has not invited to the communicators");
    const std::chrono::nanoseconds limit(std::min(time_limit_ns, kYearNs));
    if (time_limit_ns > 0 && joining_.wait_for(limit) != std::future_status::ready) {
      fail(SCHEMOE_PEER, "Cannot connect the ranks: NCCL has not found those of all processes within ",
           static_cast<double>(limit.count()) * 1e-9, " s");
    }
    joining_.get();
  }
  bool joining() const override {
    return joining_.valid() && joining_.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
  }

 private:
  // Everything but memory and the clock goes through NCCL.
  bool await_run(uint64_t) override { return false; }
  void posted(const Notice&) override { fail(SCHEMOE_PEER, "it sends over TCP what NCCL carries"); }
  std::byte* target(const Notice&) override { return nullptr; }
  void arrived(const Notice&) override {}
  void sent(const Notice&) override {}
  void ended(const Ended&) override {}
  void lost(const Failure& failure) override { executor_->lost(failure); }

  void usable() const {
    if (executor_->broken()) {
      fail(SCHEMOE_DEVICE, "Cannot use the engine: an earlier run failed on the GPU; close it and open a new one");
    }
  }

  const World world_;
  const bool invited_;
  HostQueue hosts_;
  std::optional<Buffers> buffers_;
  std::optional<Executor> executor_;
  std::shared_future<void> joining_;
};

}  // namespace
}  // namespace cuda

std::unique_ptr<Engine> open_cuda_engine(const CudaOptions& options) {
  return std::make_unique<cuda::CudaEngine>(options, false);
}

std::unique_ptr<LocalRanks> open_cuda_ranks(const CudaOptions& options) {
  if (!options.nccl) {
    fail(SCHEMOE_UNSUPPORTED, "Cannot open a CUDA engine of several processes: their GPUs reach each other through NCCL only; "
                              "give transport \"nccl\"");
  }
  return std::make_unique<cuda::CudaEngine>(options, true);
}

}  // namespace schemoe
