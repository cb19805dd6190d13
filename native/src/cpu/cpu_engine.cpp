#include <cblas.h>

#include "cpu/buffers.h"
#include "cpu/executor.h"
#include "runtime/failure.h"
#include "runtime/local_ranks.h"

namespace schemoe {

namespace {

class CpuEngine final : public LocalRanks {
 public:
  explicit CpuEngine(uint32_t ranks, Part part = {})
      : ranks_(ranks), part_(part), buffers_(ranks), executor_(ranks, buffers_, hosts_, part) {
    // The ranks are the parallelism: threads inside a product would only compete with other lanes.
    openblas_set_num_threads(1);
  }

  uint32_t ranks() const override { return ranks_; }
  uint32_t allocate(uint32_t id, std::span<const uint64_t> bytes) override { return buffers_.allocate(id, bytes); }
  void free(uint32_t id) override { buffers_.free(id); }
  void write(uint32_t id, uint32_t rank, uint64_t offset, std::span<const uint8_t> data) override {
    buffers_.write(id, rank, offset, data);
  }
  void read(uint32_t id, uint32_t rank, uint64_t offset, std::span<uint8_t> data) override {
    buffers_.read(id, rank, offset, data);
  }

  /// It computes every kernel.
  void check(const Program&) const override {}

  void run(const Program& program, uint64_t time_limit_ns, std::span<schemoe_event> events) override {
    buffers_.hold();
    struct Release {
      Buffers& buffers;
      ~Release() { buffers.release(); }
    } const release{buffers_};
    buffers_.check(program, part_.first, part_.count);
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

  void expect(uint64_t run, uint64_t start_ns) override { executor_.expect(run, start_ns); }
  Receiver& receiver() override { return executor_; }

 private:
  const uint32_t ranks_;
  const Part part_;
  Buffers buffers_;
  HostQueue hosts_;
  Executor executor_;
};

}  // namespace

std::unique_ptr<Engine> open_cpu_engine(uint32_t ranks) { return std::make_unique<CpuEngine>(ranks); }

std::unique_ptr<LocalRanks> open_cpu_ranks(uint32_t ranks, uint32_t first, uint32_t count, Carrier& carrier) {
  return std::make_unique<CpuEngine>(ranks, Part{first, count, &carrier});
}

}  // namespace schemoe
