// The engine of some ranks of a world whose others are run by other processes.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "runtime/local_ranks.h"
#include "tcp/mesh.h"

namespace schemoe {

class PartEngine final : public Engine, private Memory {
 public:
  struct Options {
    uint32_t ranks;
    uint32_t first;
    uint32_t count;
    std::string host;
    Key key;
    /// On GPUs, if given.
    std::optional<CudaOptions> cuda;
  };

  explicit PartEngine(const Options& options);
  ~PartEngine() override;

  uint32_t ranks() const override { return options_.ranks; }
  /// In process 0 of all processes, in the others of its own ranks only.
  uint32_t allocate(uint32_t id, std::span<const uint64_t> bytes) override;
  void free(uint32_t id) override;
  void write(uint32_t id, uint32_t rank, uint64_t offset, std::span<const uint8_t> data) override;
  void read(uint32_t id, uint32_t rank, uint64_t offset, std::span<uint8_t> data) override;

  void check(const Program& program) const override;
  void run(const Program& program, uint64_t time_limit_ns, std::span<schemoe_event> events) override;
  void cancel() override;
  void shut_down() override;
  HostQueue& hosts() override { return own_->hosts(); }

  uint32_t port() const { return mesh_.port(); }
  void connect(std::span<const schemoe_process> processes, uint32_t self, uint64_t time_limit_ns);
  void expect(uint64_t run, uint64_t start_ns) { own_->expect(run, start_ns); }
  /// What to add to this process's clock for that of another, and how wrong that may be.
  void clock(uint32_t process, uint64_t* now_ns, int64_t* offset_ns, uint64_t* error_ns);

 private:
  uint32_t allocate_own(uint32_t id, std::span<const uint64_t> bytes) override;
  /// Buffer `id`, or a new one that gets the number `own`, in another process.
  void allocate_in(uint32_t process, uint32_t id, uint32_t own, std::span<const uint64_t> bytes);
  void free_own(uint32_t id) override { own_->free(id); }
  void write_own(uint32_t id, uint32_t rank, uint64_t offset, std::span<const uint8_t> data) override;
  void read_own(uint32_t id, uint32_t rank, uint64_t offset, std::span<uint8_t> data) override;
  void join_own(std::span<const uint8_t> invitation) override { own_->accept(invitation); }
  /// The process to ask about a rank, or none for a rank of this one. Throws for one that may not ask.
  uint32_t process_of(const char* what, uint32_t rank) const;

  const Options options_;
  Mesh mesh_;
  std::unique_ptr<LocalRanks> own_;
};

}  // namespace schemoe
