// Device memory that Programs leave to others.
#include "both.h"
#include "cuda/pool.h"

namespace {

using schemoe::CudaOptions;
using schemoe::cuda::Pool;
using schemoe::cuda::Pooled;
using schemoe::cuda::World;

/// What was given back is taken again by whatever fits its size, and by nothing else.
void again() {
  const World world{CudaOptions{}};
  world.use(0);
  Pool pool(world);
  const Pool::Piece first = pool.take(0, 5000);
  CHECK_EQUAL(first.bytes, uint64_t{8192});
  const Pool::Piece beside = pool.take(0, 8192);
  CHECK(first.data && beside.data && first.data != beside.data);
  pool.give(0, first);
  const Pool::Piece small = pool.take(0, 1);
  CHECK(small.bytes == 4096 && small.data != first.data);
  CHECK(pool.take(0, 4097).data == first.data);
  pool.give(0, first);
  pool.give(0, beside);
  pool.give(0, small);
}

/// No more than so much is kept; what is too much goes back to the GPU.
void bounded() {
  const World world{CudaOptions{}};
  world.use(0);
  Pool pool(world);
  constexpr uint64_t kMany = uint64_t{33} << 20;
  const Pool::Piece kept = pool.take(0, kMany), freed = pool.take(0, kMany), small = pool.take(0, 1);
  pool.give(0, kept);
  pool.give(0, freed);
  pool.give(0, small);
  CHECK(pool.take(0, kMany).data == kept.data);
  // Now there is room for it.
  pool.give(0, pool.take(0, 1));
  pool.give(0, kept);
}

/// An owner gives it back, wherever it was moved to.
void owned() {
  const World world{CudaOptions{}};
  world.use(0);
  Pool pool(world);
  int32_t* data = nullptr;
  {
    Pooled<int32_t> one(pool, 0, 10), none;
    data = one.data();
    none = std::move(one);
    CHECK(none.data() == data && one.data() == nullptr);
    const Pooled<int32_t> other(pool, 0, 10);
    CHECK(other.data() != data);
  }
  const Pooled<int32_t> first(pool, 0, 1024), second(pool, 0, 1);
  CHECK(first.data() == data || second.data() == data);
}

}  // namespace

int main() {
  if (const auto skipped = without_gpu()) return *skipped;
  again();
  bounded();
  owned();
  return check::result();
}
