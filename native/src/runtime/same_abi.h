// Whether a prototype that was copied by hand is called like the vendor's: the same number of parameters,
// each of the same size and passed in the same kind of register.
#pragma once

#include <type_traits>

namespace schemoe {

enum class Passed { pointer, integer, real, memory };

template <class T>
constexpr Passed passed() {
  if (std::is_pointer_v<T>) return Passed::pointer;
  if (std::is_floating_point_v<T>) return Passed::real;
  if (std::is_integral_v<T> || std::is_enum_v<T>) return Passed::integer;
  return Passed::memory;
}

template <class A, class B>
inline constexpr bool kSameValue = false;
template <class A, class B>
  requires(!std::is_void_v<A> && !std::is_void_v<B>)
inline constexpr bool kSameValue<A, B> = sizeof(A) == sizeof(B) && passed<A>() == passed<B>();

template <class A, class B>
inline constexpr bool kSameAbi = false;
template <class A, class... As, class B, class... Bs>
  requires(sizeof...(As) == sizeof...(Bs))
inline constexpr bool kSameAbi<A (*)(As...), B (*)(Bs...)> = kSameValue<A, B> && (kSameValue<As, Bs> && ...);

static_assert(kSameAbi<int (*)(void*, int), unsigned (*)(const char*, unsigned)>);
static_assert(!kSameAbi<int (*)(void*, int), int (*)(void*, long)>);
static_assert(!kSameAbi<int (*)(int), int (*)(float)> && !kSameAbi<int (*)(int), int (*)(int, int)>);

}  // namespace schemoe
