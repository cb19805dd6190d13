// A library that is NCCL by name, each copy of which asks the program that loads it what its calls do.
#include <cstdint>

extern "C" {
/// Of the program: what a call returns; it may throw.
int nccl_call(const char* name, void* communicator);

#define ENTRY __attribute__((visibility("default")))
ENTRY int ncclGetVersion(int* version) { return *version = 23007, 0; }
ENTRY const char* ncclGetErrorString(int) { return "unhandled fake error"; }
ENTRY const char* ncclGetLastError(void*) { return ""; }
ENTRY int ncclGetUniqueId(void*) { return nccl_call("ncclGetUniqueId", nullptr); }
struct Id {
  char bytes[128];
};
ENTRY int ncclCommInitRankConfig(void** to, int, Id, int rank, void*) {
  // Something to destroy also where the call fails, as with NCCL.
  *to = reinterpret_cast<void*>(static_cast<uintptr_t>(rank + 1));
  return nccl_call("ncclCommInitRankConfig", *to);
}
ENTRY int ncclCommDestroy(void* communicator) { return nccl_call("ncclCommDestroy", communicator); }
ENTRY int ncclCommAbort(void* communicator) { return nccl_call("ncclCommAbort", communicator); }
ENTRY int ncclCommGetAsyncError(void* communicator, int* to) { return *to = 0, nccl_call("ncclCommGetAsyncError", communicator); }
ENTRY int ncclSend(const void*, unsigned long, int, int, void* communicator, void*) { return nccl_call("ncclSend", communicator); }
ENTRY int ncclRecv(void*, unsigned long, int, int, void* communicator, void*) { return nccl_call("ncclRecv", communicator); }
ENTRY int ncclGroupStart() { return nccl_call("ncclGroupStart", nullptr); }
ENTRY int ncclGroupEnd() { return nccl_call("ncclGroupEnd", nullptr); }
}
