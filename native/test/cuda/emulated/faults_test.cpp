// The emulation finds faults of kernels, and none in the same kernels without them.
#include "faults.h"

#include "check.h"
#include "cuda/kernels/preload.h"
#include "runtime/failure.h"

bool schemoe::cuda::note_kernels(const void*) { return true; }

namespace {

/// What is said of a launch on memory of its own.
std::string said(const faults::Faulty& faulty, bool wrong) {
  int* x = nullptr;
  CUDA_CHECK(cudaMalloc(reinterpret_cast<void**>(&x), faults::kThreads * sizeof(int)));
  std::string text;
  try {
    faulty.launch(x, wrong);
  } catch (const schemoe::Failure& failure) {
    text = failure.what();
  }
  CUDA_CHECK(cudaFree(x));
  return text;
}

}  // namespace

int main() {
  for (const faults::Faulty& faulty : faults::all()) {
    // Launches go through their threads forwards and backwards in turn: of three the wrong one goes either way.
    for (int turn = 0; turn < 2; ++turn) {
      const std::string right = said(faulty, false), wrong = said(faulty, true), again = said(faulty, false);
      check::that(right.empty() && again.empty(), std::string(faulty.name) + ": " + right + again, __FILE__, __LINE__);
      check::that(wrong.empty() == faulty.words.empty(), std::string(faulty.name) + ": \"" + wrong + '"', __FILE__, __LINE__);
      for (const std::string& word : faulty.words) {
        check::that(wrong.find(word) != std::string::npos, std::string(faulty.name) + ": no \"" + word + "\" in \"" + wrong + '"', __FILE__, __LINE__);
      }
    }
  }
  return check::result();
}
