// Words of CUDA C++ that say where a function or variable lives, and its built-in types.
// The emulator is one text: these headers, in the order of `assemble.py`, then the candidate's source.
#include <dlfcn.h>
#include <float.h>
#include <limits.h>
#include <link.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <type_traits>
#include <utility>

#ifdef EMU_CHECKED
// Code of the emulator's own is not watched: its memory is none of the kernel's.
#define EMU_OWN __attribute__((no_sanitize("thread,undefined")))
#define EMU_CHECK(...) __VA_ARGS__
#else
#define EMU_OWN
#define EMU_CHECK(...)
#endif
#define EMU_TLS thread_local __attribute__((tls_model("initial-exec")))

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __managed__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __maxnreg__(...)
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))
#define __CUDACC__ 1
#define __CUDA_ARCH__ 900
#define __CUDA_NO_GPU__ 1
#define CUDART_INF_F __builtin_inff()
#define CUDART_NAN_F __builtin_nanf("")
#define CUDART_INF __builtin_inf()
#define CUDART_PI_F 3.141592654f

typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;

#define EMU_VECTORS(T, N, A2, A4)                                                     \
  struct N##1 { T x; };                                                               \
  struct __attribute__((aligned(A2))) N##2 { T x, y; };                               \
  struct N##3 { T x, y, z; };                                                         \
  struct __attribute__((aligned(A4))) N##4 { T x, y, z, w; };                         \
  static inline EMU_OWN N##1 make_##N##1(T x) { return {x}; }                         \
  static inline EMU_OWN N##2 make_##N##2(T x, T y) { return {x, y}; }                 \
  static inline EMU_OWN N##3 make_##N##3(T x, T y, T z) { return {x, y, z}; }         \
  static inline EMU_OWN N##4 make_##N##4(T x, T y, T z, T w) { return {x, y, z, w}; }
EMU_VECTORS(signed char, char, 2, 4)
EMU_VECTORS(unsigned char, uchar, 2, 4)
EMU_VECTORS(short, short, 4, 8)
EMU_VECTORS(unsigned short, ushort, 4, 8)
EMU_VECTORS(int, int, 8, 16)
EMU_VECTORS(unsigned int, uint, 8, 16)
EMU_VECTORS(long, long, 16, 16)
EMU_VECTORS(unsigned long, ulong, 16, 16)
EMU_VECTORS(long long, longlong, 16, 16)
EMU_VECTORS(unsigned long long, ulonglong, 16, 16)
EMU_VECTORS(float, float, 8, 16)
EMU_VECTORS(double, double, 16, 16)

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
  constexpr dim3(uint3 u) : x(u.x), y(u.y), z(u.z) {}
};
