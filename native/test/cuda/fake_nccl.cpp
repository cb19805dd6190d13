// The names of NCCL that the engine looks for, and a version; nothing works.
#define ENTRY extern "C" __attribute__((visibility("default")))

ENTRY int ncclGetVersion(int* version) {
  *version = FAKE_VERSION;
  return 0;
}
ENTRY const char* ncclGetErrorString(int) { return "unhandled fake error"; }
ENTRY const char* ncclGetLastError(void*) { return "this is no NCCL"; }
ENTRY int ncclGetUniqueId(void*) { return 3; }
ENTRY int ncclCommInitRankConfig() { return 3; }
ENTRY int ncclCommDestroy(void*) { return 3; }
#ifndef FAKE_lacking
ENTRY int ncclCommAbort(void*) { return 3; }
#endif
ENTRY int ncclCommGetAsyncError(void*, int*) { return 3; }
ENTRY int ncclSend() { return 3; }
ENTRY int ncclRecv() { return 3; }
ENTRY int ncclGroupStart() { return 3; }
ENTRY int ncclGroupEnd() { return 3; }
