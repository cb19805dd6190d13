#include <cblas.h>

#include "cpu/buffers.h"
#include "cpu/executor.h"
#include "runtime/engine.h"
#include "runtime/failure.h"

namespace schemoe {

namespace {

class CpuEngine final : public Engine {
 public:
  explicit CpuEngine(uint32_t ranks) : ranks_(ranks), buffers_(ranks), executor_(ranks, buffers_, hosts_) {}

  uint32_t ranks() const override { return ranks_; }
  uint32_t allocate(uint32_t id, std::span<const uint64_t> bytes) override { return buffers_.allocate(id, bytes); }
  void free(uint32_t id) override { buffers_.free(id); }
  void write(uint32_t id, uint32_t rank, uint64_t offset, std::span<const uint8_t> data) override {
    buffers_.write(id, rank, offset, data);
  }
  void read(uint32_t id, uint32_t rank, uint64_t offset, std::span<uint8_t> data) override {
    buffers_.read(id, rank, offset, data);
  }

  void check(const Program& program) const override {
    if (!program.bfloat16) return;
    fail(SCHEMOE_UNSUPPORTED, "Cannot prepare the Program: ", name_of(program.operations[program.bfloat16->operation]),
         ", kernel ", program.bfloat16->kernel->name, ": the CPU engine computes in float32");
  }

  void run(const Program& program, uint64_t time_limit_ns, std::span<schemoe_event> events) override {
    buffers_.hold();
    struct Release {
      Buffers& buffers;
      ~Release() { buffers.release(); }
    } const release{buffers_};
    buffers_.check(program);
    executor_.run(program, time_limit_ns, events);
  }

  void cancel() override {
    if (!executor_.cancel()) hosts_.nudge();
  }
  void shut_down() override {
    executor_.shut_down();
    hosts_.close();
  }
  HostQueue& hosts() override { return hosts_; }

 private:
  const uint32_t ranks_;
  Buffers buffers_;
  HostQueue hosts_;
  Executor executor_;
};

}  // namespace

std::unique_ptr<Engine> open_cpu_engine(uint32_t ranks) {
  // The ranks are the parallelism: threads inside a product would only compete with other lanes.
  openblas_set_num_threads(1);
  return std::make_unique<CpuEngine>(ranks);
}

}  // namespace schemoe
