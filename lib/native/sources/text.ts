/** The text that is compiled: a user's functions between what they may use and the entries that call them. @module */
import type { SourceCode } from "../../types.ts";

/** Languages of a source. */
export type Language = "cpu" | "cuda";

/** File that messages of the compiler name for the user's own lines. */
export const fileOf = ({ name }: SourceCode, language: Language): string =>
  `${name.replaceAll(/[^\w.-]/g, "_")}.${language === "cpu" ? "cpp" : "cu"}`;

/** What messages call the entries, whose errors are about what a function is called and takes. */
export const ENTRIES = "schemoe-entries";

/** NVRTC has no headers of C. */
const TYPES = `#if defined(__CUDACC_RTC__)
typedef signed char int8_t;
typedef short int16_t;
typedef int int32_t;
typedef long long int64_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
#else
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#endif
`;

/** Calls a function with pointers and integers where its parameters are such. */
const CALL = `namespace schemoe_call {
template <class T> struct Is { static constexpr int pointer = 0; };
template <class T> struct Is<T*> { static constexpr int pointer = 1; };
template <class T>
SCHEMOE_ON T take(void* const*& buffers, const long long*& numbers) {
  if constexpr (Is<T>::pointer) return static_cast<T>(*buffers++);
  else return static_cast<T>(*numbers++);
}
// Braces, because what is between them is evaluated from left to right.
template <class R, class... A>
struct Call {
  SCHEMOE_ON Call(R (*function)(A...), A... arguments) { function(arguments...); }
};
template <int kBuffers, int kNumbers, class R, class... A>
SCHEMOE_ON void call(R (*function)(A...), void* const* buffers, const long long* numbers) {
  constexpr int pointers = (0 + ... + Is<A>::pointer);
  static_assert(pointers == kBuffers, "a function must take the pointers that are listed for it");
  static_assert(int(sizeof...(A)) - pointers <= kNumbers, "a function takes more integers than are listed for it");
  Call<R, A...>{function, take<A>(buffers, numbers)...};
}
}  // namespace schemoe_call
`;

/** C++ or CUDA with an entry for each function: see `native/src/runtime/sources.h`. */
export function textOf(code: SourceCode, language: Language): string {
  const entries = Object.entries(code.functions).map(([name, { buffers, numbers }]) => {
    const call = `schemoe_call::call<${buffers}, ${numbers}>(&${name},`;
    return language === "cpu"
      ? `extern "C" __attribute__((visibility("default"))) void schemoe_call_${name}(void* const* buffers, ` +
        `const long long* numbers) { ${call} buffers, numbers); }`
      : `extern "C" __global__ void schemoe_call_${name}(schemoe_call::Arguments a) ` +
        `{ ${call} a.buffers, a.numbers); }`;
  });
  const on = language === "cpu" ? "inline" : "__device__ inline";
  const given = language === "cpu"
    ? ""
    : "namespace schemoe_call { struct Arguments { void* buffers[6]; long long numbers[8]; }; }\n";
  return [
    TYPES,
    `#line 1 "${fileOf(code, language)}"`,
    code[language] ?? "",
    `#line 1 "${ENTRIES}"`,
    `#define SCHEMOE_ON ${on}`,
    CALL + given,
    ...entries,
    "",
  ].join("\n");
}
