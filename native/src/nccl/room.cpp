#include "nccl/room.h"

#include "runtime/failure.h"
#include "runtime/program.h"

namespace schemoe::nccl {

namespace {

constexpr uint32_t kQueues = 32;

}  // namespace

void check_room_on(const Room& room) {
  if (room.ranks < 2) return;
  const uint64_t blocks = uint64_t{room.ranks} * kLinks * room.max_ctas;
  if (blocks > room.processors) {
    fail(SCHEMOE_UNSUPPORTED, "Cannot use NCCL: ", room.ranks, " ranks x ", kLinks, " communicators x ", room.max_ctas,
         " blocks are ", blocks, " on GPU ", room.gpu, ", which runs ", room.processors,
         " at once, and one that finds no room would be waited for for ever; use fewer ranks or a smaller maxCTAs");
  }
  if (room.ranks * kLanes > kQueues) {
    fail(SCHEMOE_UNSUPPORTED, "Cannot use NCCL: ", room.ranks, " ranks on GPU ", room.gpu, " have ", room.ranks * kLanes,
         " streams, and it has ", kQueues, " queues: streams that share one could wait for each other for ever; use at most ",
         kQueues / kLanes, " ranks a GPU");
  }
}

}  // namespace schemoe::nccl
