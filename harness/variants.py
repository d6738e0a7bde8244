"""Other builds of a candidate's C++: with sanitizers in it, or with delays before its memory accesses.

`sanitized` is for AddressSanitizer and UndefinedBehaviorSanitizer. What UBSan looks at is chosen so that
no honest kernel is refused. Left out of `undefined`, with the reason:
- alignment: x86 and ARM read `*(float4*)p` anywhere; where a compiler or an intrinsic does demand more,
  the plain build dies in the misaligned case.
- shift-base: shifting a negative number left is how fast exponentials are written, and legal since C++20.
- nonnull-attribute, pointer-overflow, object-size: `memcpy` of no bytes from a null pointer, pointers that
  wrap on the way; what is read or written wrongly through them AddressSanitizer sees.
- vptr: refuses to compile under -fno-rtti.
Floating-point division and casts are not in `undefined` to begin with. Local variables start with a
pattern that is huge as a number of any type (gcc 12, clang 15), so that reading one unset shows.

`delayed` lets a race happen: the compiler puts a call before each access to memory (as ThreadSanitizer
needs it), and the few lines here put it to sleep now and then. It accuses nobody, for a correct program is
correct however its threads are scheduled: only a wrong result does.

A source that knows in which build it is can be careful where it is watched. So the preprocessor finds the
same in all of them: name of the file, macros, attributes that switch sanitizers off. What is compiled beside
a source stands in a file of its own.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from typing import Literal, NamedTuple

from kernelwright.harness.cuda_emulation import translate
from kernelwright.harness.inline_cpp import compiler_version

Variant = Literal["plain", "sanitized", "delayed", "checked", "counted"]
"""`checked` is of CUDA on the CPU (`cuda_emulation/`); C++ beside it is built as ever."""

_CHECKS = (
    "address,shift-exponent,integer-divide-by-zero,unreachable,vla-bound,null,return,"
    "signed-integer-overflow,bounds,bool,enum,builtin"
)
_SANITIZED = (
    "-g",
    "-fno-omit-frame-pointer",
    f"-fsanitize={_CHECKS}",
    "-fno-sanitize-recover=all",
)
_DELAYED = ("-fsanitize=thread",)
_SANITIZERS = ("address", "thread", "undefined", "memory", "hwaddress", "leak", "coverage")
_ALIKE = (
    *(f"-U__SANITIZE_{name.upper()}__" for name in _SANITIZERS),
    *(f"-D{mark}(...)=unused" for mark in ("no_sanitize", "__no_sanitize__")),
    *(f"-Dno_sanitize_{name}=unused" for name in _SANITIZERS),
    *(f"-D__no_sanitize_{name}__=unused" for name in _SANITIZERS),
    "-Dno_address_safety_analysis=unused",
    "-Ddisable_sanitizer_instrumentation=unused",
)
"""In every build, so that no macro tells one from another."""
_WITHOUT_LIBTSAN = (
    "-nodefaultlibs", "-Wl,--no-as-needed", "-lgomp", "-lstdc++", "-lm", "-lc", "-lgcc_s", "-lgcc",
)  # fmt: skip
"""gcc would link ThreadSanitizer's own runtime, which cannot be loaded into a running process."""


class Text(NamedTuple):
    """What a compiler is given: a source, flags, and a second source beside it (empty: none)."""

    source: str
    flags: Sequence[str]
    beside: str = ""


def changed(variant: Variant, source: str, flags: Sequence[str], cxx: str) -> Text:
    """The text of a variant. Flags of ours come last, where they win. Raises BuildError for CUDA refused."""
    if flags and flags[0] == translate.IS_CUDA:
        return Text(*translate.prepared(source, flags[1:], checked=variant == "checked"))
    numbered = f'#line 1 "{name_of(source)}"\n{source}'
    if variant in ("plain", "checked"):
        return Text(numbered, [*flags, *_ALIKE])
    if variant == "counted":  # valgrind knows no AVX-512
        known = ["-march=x86-64-v3"] if platform.machine() == "x86_64" else []
        return Text(numbered, [*flags, *known, *_ALIKE])
    told = [flag for flag in flags if not flag.startswith(("-fsanitize", "-fno-sanitize"))]
    level = _level(flags)
    clang = "clang" in compiler_version(cxx)
    if variant == "sanitized":
        shared = ["-shared-libasan"] * clang
        return Text(numbered, [*told, *level, *_SANITIZED, *_pattern(cxx), *shared, *_ALIKE])
    return Text(
        numbered, [*told, *level, *_DELAYED, *(() if clang else _WITHOUT_LIBTSAN), *_ALIKE], _DELAYS
    )


def _level(flags: Sequence[str]) -> list[str]:
    """Optimisation of a watched build: little, with the macros of what the source asks for."""
    asked = [flag for flag in flags if flag.startswith("-O")][-1:]
    if asked in (["-O0"], ["-Os"], ["-Oz"]):
        return asked
    return ["-O1", *(["-ffast-math"] if asked == ["-Ofast"] else [])]


def name_of(source: str) -> str:
    """The file name under which a sanitizer speaks of a source."""
    return f"kernel-{hashlib.sha256(source.encode(errors='replace')).hexdigest()[:12]}.cpp"


def _pattern(cxx: str) -> list[str]:
    """The flag that fills local variables, where the compiler is known to have it."""
    version = compiler_version(cxx)
    found = [word.split(".")[0] for word in version.split() if word[0].isdigit() and "." in word]
    major = int(found[0]) if found and found[0].isdigit() else 0
    enough = major >= (15 if "clang" in version else 12)
    return ["-ftrivial-auto-var-init=pattern"] if enough else []


_DELAYS = r"""
#undef no_sanitize_thread
#include <sched.h>
#include <stdint.h>
#include <time.h>
namespace kernelwright_delays {
#define KW_PLAIN __attribute__((no_sanitize_thread, visibility("hidden")))
#define KW_HERE __builtin_return_address(0)
struct Thread { uint32_t draw; int64_t since; uint16_t seen[512]; };
static thread_local Thread own;
KW_PLAIN inline int64_t now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}
// Each place in the code is delayed at its first executions and then ever more rarely; anew every 5 ms.
KW_PLAIN inline void at(void* place, uint32_t one_in) {
  Thread& t = own;
  uint16_t& seen = t.seen[((uintptr_t)place >> 2) * 2654435761u >> 7 & 511];
  uint32_t n = ++seen;
  if (n > 32 && n & 1023) return;
  int64_t time = now();
  if (!t.draw) t.draw = (uint32_t)(time ^ (int64_t)(uintptr_t)&t) | 1;
  if (time - t.since > 5000000) {
    t.since = time;
    for (uint16_t& s : t.seen) s = 0;
    n = 1;
  }
  if (n > 4 && n & (n - 1)) return;
  t.draw ^= t.draw << 13; t.draw ^= t.draw >> 17; t.draw ^= t.draw << 5;
  if (t.draw % one_in) return;
  if (t.draw >> 8 & 1) { sched_yield(); return; }
  timespec nap = {0, (long)(t.draw >> 9 & 0xffff)};
  nanosleep(&nap, nullptr);
}
}
extern "C" {
KW_PLAIN void __tsan_init() {}
KW_PLAIN void __tsan_func_entry(void*) {}
KW_PLAIN void __tsan_func_exit() {}
KW_PLAIN void __tsan_vptr_read(void**) {}
KW_PLAIN void __tsan_vptr_update(void**, void*) {}
KW_PLAIN void __tsan_read_range(void*, unsigned long) { kernelwright_delays::at(KW_HERE, 4); }
KW_PLAIN void __tsan_write_range(void*, unsigned long) { kernelwright_delays::at(KW_HERE, 2); }
#define KW_ACCESS(n)                                                                   \
  KW_PLAIN void __tsan_read##n(void*) { kernelwright_delays::at(KW_HERE, 4); }         \
  KW_PLAIN void __tsan_write##n(void*) { kernelwright_delays::at(KW_HERE, 2); }        \
  KW_PLAIN void __tsan_unaligned_read##n(void*) { kernelwright_delays::at(KW_HERE, 4); } \
  KW_PLAIN void __tsan_unaligned_write##n(void*) { kernelwright_delays::at(KW_HERE, 2); } \
  KW_PLAIN void __tsan_read_write##n(void*) { kernelwright_delays::at(KW_HERE, 2); }   \
  KW_PLAIN void __tsan_unaligned_read_write##n(void*) { kernelwright_delays::at(KW_HERE, 2); }
KW_ACCESS(1) KW_ACCESS(2) KW_ACCESS(4) KW_ACCESS(8) KW_ACCESS(16)
#define KW_FETCH(n, T, op) \
  KW_PLAIN T __tsan_atomic##n##_fetch_##op(volatile T* a, T v, int) { \
    kernelwright_delays::at(KW_HERE, 4); return __atomic_fetch_##op(a, v, 5); }
#define KW_ATOMIC(n, T)                                                                \
  KW_PLAIN T __tsan_atomic##n##_load(const volatile T* a, int) { return __atomic_load_n(a, 5); } \
  KW_PLAIN void __tsan_atomic##n##_store(volatile T* a, T v, int) {                    \
    kernelwright_delays::at(KW_HERE, 4); __atomic_store_n(a, v, 5); }                  \
  KW_PLAIN T __tsan_atomic##n##_exchange(volatile T* a, T v, int) {                    \
    kernelwright_delays::at(KW_HERE, 4); return __atomic_exchange_n(a, v, 5); }        \
  KW_PLAIN int __tsan_atomic##n##_compare_exchange_strong(volatile T* a, T* c, T v, int, int) { \
    kernelwright_delays::at(KW_HERE, 4);                                               \
    return __atomic_compare_exchange_n(a, c, v, false, 5, 5); }                        \
  KW_PLAIN int __tsan_atomic##n##_compare_exchange_weak(volatile T* a, T* c, T v, int, int) { \
    kernelwright_delays::at(KW_HERE, 4);                                               \
    return __atomic_compare_exchange_n(a, c, v, false, 5, 5); }                        \
  KW_PLAIN T __tsan_atomic##n##_compare_exchange_val(volatile T* a, T c, T v, int, int) { \
    __atomic_compare_exchange_n(a, &c, v, false, 5, 5); return c; }                    \
  KW_FETCH(n, T, add) KW_FETCH(n, T, sub) KW_FETCH(n, T, and) KW_FETCH(n, T, or)       \
  KW_FETCH(n, T, xor) KW_FETCH(n, T, nand)
KW_ATOMIC(8, uint8_t) KW_ATOMIC(16, uint16_t) KW_ATOMIC(32, uint32_t) KW_ATOMIC(64, uint64_t)
KW_PLAIN void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(5); }
KW_PLAIN void __tsan_atomic_signal_fence(int) {}
}
"""
