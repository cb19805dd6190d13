// What is refused of NCCL before a GPU is touched: a library that is missing, old or lacks an entry, and
// more than fits on a GPU. Needs no GPU.
#include "check.h"

#include "nccl/library.h"
#include "nccl/room.h"

using namespace schemoe;

namespace {

/// The text of what a call throws; its status must be UNSUPPORTED.
template <class Body>
std::string refused(Body&& body) {
  try {
    body();
  } catch (const Failure& failure) {
    CHECK_EQUAL(static_cast<int>(failure.status()), static_cast<int>(SCHEMOE_UNSUPPORTED));
    return std::string(failure.text());
  }
  return "nothing was refused";
}

void libraries(const std::string& whole, const std::string& old, const std::string& lacking) {
  const nccl::Library library = nccl::open_library(whole);
  CHECK_EQUAL(library.version, 23007);
  CHECK_EQUAL(nccl::version_text(library.version), std::string("2.30.7"));
  CHECK_EQUAL(library.path, whole);
  try {
    library.check(3, "ncclSend");
    CHECK(false);
  } catch (const Failure& failure) {
    CHECK_EQUAL(std::string(failure.text()), "ncclSend failed: NCCL reports unhandled fake error, this is no NCCL");
  }

  const std::string missing = refused([] { nccl::open_library("/nowhere/libnccl.so.2"); });
  CHECK_CONTAINS(missing, "Cannot use NCCL: /nowhere/libnccl.so.2: cannot open shared object file");
  CHECK_CONTAINS(missing, "; check the path that was given");
  const std::string before = refused([&] { nccl::open_library(old); });
  CHECK_EQUAL(before, "Cannot use NCCL: " + old + " has version 2.17.5, 2.18.0 or newer is needed");
  const std::string without = refused([&] { nccl::open_library(lacking); });
  CHECK_EQUAL(without, "Cannot use NCCL: " + lacking + " has no ncclCommAbort; version 2.18.0 or newer is needed");
  CHECK_CONTAINS(refused([] { nccl::open_library("libc.so.6"); }), "libc.so.6 has no ncclGetVersion");
}

void room() {
  nccl::check_room_on({0, 132, 8, 2});
  nccl::check_room_on({0, 132, 8, 8});
  nccl::check_room_on({0, 132, 10, 2});
  nccl::check_room_on({0, 132, 1, 64});  // a rank waits for none on its own GPU
  CHECK_CONTAINS(refused([] { nccl::check_room_on({3, 132, 8, 9}); }),
                 "8 ranks x 2 communicators x 9 blocks are 144 on GPU 3, which runs 132 at once");
  CHECK_CONTAINS(refused([] { nccl::check_room_on({0, 132, 11, 2}); }),
                 "11 ranks on GPU 0 have 33 streams, and it has 32 queues");
}

}  // namespace

int main(int count, char** arguments) {
  if (!CHECK_EQUAL(count, 4)) return 1;
  libraries(arguments[1], arguments[2], arguments[3]);
  room();
  return check::result();
}
