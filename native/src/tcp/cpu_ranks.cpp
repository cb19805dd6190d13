#include <cblas.h>

#include "cpu/executor.h"
#include "tcp/local_ranks.h"

namespace schemoe {

namespace {

class CpuRanks final : public LocalRanks {
 public:
  CpuRanks(uint32_t ranks, uint32_t first, uint32_t count, Carrier& carrier)
      : first_(first), count_(count), buffers_(ranks), executor_(ranks, buffers_, hosts_, {first, count, &carrier}) {
    // As in the engine of one process: lanes are the parallelism.
    openblas_set_num_threads(1);
  }

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
    buffers_.check(program, first_, count_);
    executor_.run(program, time_limit_ns, events);
  }
  void expect(uint64_t run, uint64_t start_ns) override { executor_.expect(run, start_ns); }
  void cancel() override {
    if (!executor_.cancel()) hosts_.nudge();
  }
  void shut_down() override {
    executor_.shut_down();
    hosts_.close();
  }
  HostQueue& hosts() override { return hosts_; }
  Receiver& receiver() override { return executor_; }

 private:
  const uint32_t first_, count_;
  Buffers buffers_;
  HostQueue hosts_;
  Executor executor_;
};

}  // namespace

std::unique_ptr<LocalRanks> open_cpu_ranks(uint32_t ranks, uint32_t first, uint32_t count, Carrier& carrier) {
  return std::make_unique<CpuRanks>(ranks, first, count, carrier);
}

}  // namespace schemoe
