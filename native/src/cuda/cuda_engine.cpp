#include <mutex>
#include <optional>

#include "cuda/buffers.h"
#include "cuda/executor.h"
#include "cuda/world.h"
#include "runtime/engine.h"
#include "runtime/failure.h"

namespace schemoe {

namespace cuda {
namespace {

class CudaEngine final : public Engine {
 public:
  explicit CudaEngine(const CudaOptions& options) : world_(options) {
    lt::library();
    buffers_.emplace(world_);
    executor_.emplace(world_, *buffers_, hosts_, options);
    if (options.nccl) executor_->connect(executor_->make_ids());
  }

  ~CudaEngine() override {
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

  void check(const Program& program) const override {
    usable();
    executor_->check_order(program);
  }

  void run(const Program& program, uint64_t time_limit_ns, std::span<schemoe_event> events) override {
    usable();
    buffers_->hold();
    const struct Release {
      Buffers& buffers;
      ~Release() { buffers.release(); }
    } release{*buffers_};
    buffers_->check(program);
    world_.enter(0);
    executor_->run(program, time_limit_ns, events);
  }

  void cancel() override {
    if (!executor_->cancel()) hosts_.nudge();
  }
  void shut_down() override {
    executor_->shut_down();
    hosts_.close();
  }
  HostQueue& hosts() override { return hosts_; }

 private:
  void usable() const {
    if (executor_->broken()) {
      fail(SCHEMOE_DEVICE, "Cannot use the engine: an earlier run failed on the GPU; close it and open a new one");
    }
  }

  const World world_;
  HostQueue hosts_;
  std::optional<Buffers> buffers_;
  std::optional<Executor> executor_;
};

}  // namespace
}  // namespace cuda

std::unique_ptr<Engine> open_cuda_engine(const CudaOptions& options) {
  return std::make_unique<cuda::CudaEngine>(options);
}

}  // namespace schemoe
