// Device functions that the C library lacks, and CUDA's mixed-type min and max.
#define EMU_FN static inline EMU_OWN
#define EMU_ALIAS(fast, slow) \
  EMU_FN float emu_##fast(float x) { return slow; }
EMU_ALIAS(expf, expf(x)) EMU_ALIAS(logf, logf(x)) EMU_ALIAS(log2f, log2f(x))
EMU_ALIAS(log10f, log10f(x)) EMU_ALIAS(exp10f, powf(10.0f, x)) EMU_ALIAS(sinf, sinf(x))
EMU_ALIAS(cosf, cosf(x)) EMU_ALIAS(tanf, tanf(x)) EMU_ALIAS(tanhf, tanhf(x))
EMU_ALIAS(rsqrtf, 1.0f / sqrtf(x)) EMU_ALIAS(rcbrtf, 1.0f / cbrtf(x))
EMU_ALIAS(normcdff, 0.5f * erfcf(-x * 0.707106781f)) EMU_ALIAS(sinpif, sinf(x * 3.14159265f))
EMU_ALIAS(cospif, cosf(x * 3.14159265f)) EMU_ALIAS(rcp, 1.0f / x) EMU_ALIAS(sqrt, sqrtf(x))
EMU_ALIAS(saturate, x > 1.0f ? 1.0f : x > 0.0f ? x : 0.0f)
#define __expf emu_expf
#define __logf emu_logf
#define __log2f emu_log2f
#define __log10f emu_log10f
#define __exp10f emu_exp10f
#define exp10f emu_exp10f
#define __sinf emu_sinf
#define __cosf emu_cosf
#define __tanf emu_tanf
#define __tanhf emu_tanhf
#define rsqrtf emu_rsqrtf
#define __frsqrt_rn emu_rsqrtf
#define rcbrtf emu_rcbrtf
#define normcdff emu_normcdff
#define sinpif emu_sinpif
#define cospif emu_cospif
#define __frcp_rn emu_rcp
#define __fsqrt_rn emu_sqrt
#define __saturatef emu_saturate
EMU_FN double emu_rsqrt(double x) { return 1.0 / sqrt(x); }
#define rsqrt emu_rsqrt
#define __powf emu_powf
#define __sincosf emu_sincosf
EMU_FN float emu_powf(float a, float b) { return powf(a, b); }
EMU_FN float __fdividef(float a, float b) { return a / b; }
EMU_FN float fdividef(float a, float b) { return a / b; }
EMU_FN float __fdiv_rn(float a, float b) { return a / b; }
EMU_FN float __fadd_rn(float a, float b) { volatile float r = a + b; return r; }
EMU_FN float __fsub_rn(float a, float b) { volatile float r = a - b; return r; }
EMU_FN float __fmul_rn(float a, float b) { volatile float r = a * b; return r; }
EMU_FN float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
EMU_FN double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
EMU_FN void emu_sincosf(float x, float* s, float* c) { *s = sinf(x), *c = cosf(x); }
EMU_FN float __int_as_float(int x) { float f; memcpy(&f, &x, 4); return f; }
EMU_FN float __uint_as_float(unsigned x) { float f; memcpy(&f, &x, 4); return f; }
EMU_FN int __float_as_int(float x) { int f; memcpy(&f, &x, 4); return f; }
EMU_FN unsigned __float_as_uint(float x) { unsigned f; memcpy(&f, &x, 4); return f; }
EMU_FN double __longlong_as_double(long long x) { double f; memcpy(&f, &x, 8); return f; }
EMU_FN long long __double_as_longlong(double x) { long long f; memcpy(&f, &x, 8); return f; }
EMU_FN int __float2int_rn(float x) { return (int)nearbyintf(x); }
EMU_FN int __float2int_rz(float x) { return (int)x; }
EMU_FN int __float2int_rd(float x) { return (int)floorf(x); }
EMU_FN int __float2int_ru(float x) { return (int)ceilf(x); }
EMU_FN unsigned __float2uint_rn(float x) { return (unsigned)nearbyintf(x); }
EMU_FN float __int2float_rn(int x) { return (float)x; }
EMU_FN float __uint2float_rn(unsigned x) { return (float)x; }
EMU_FN int __popc(unsigned x) { return __builtin_popcount(x); }
EMU_FN int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
EMU_FN int __ffs(int x) { return __builtin_ffs(x); }
EMU_FN int __ffsll(long long x) { return __builtin_ffsll(x); }
EMU_FN int __clz(int x) { return x ? __builtin_clz(x) : 32; }
EMU_FN int __clzll(long long x) { return x ? __builtin_clzll(x) : 64; }
EMU_FN unsigned __brev(unsigned x) {
  unsigned r = 0;
  for (int i = 0; i < 32; i++) r |= (x >> i & 1) << (31 - i);
  return r;
}
EMU_FN unsigned __byte_perm(unsigned a, unsigned b, unsigned s) {
  uint64_t both = (uint64_t)b << 32 | a;
  unsigned r = 0;
  for (int i = 0; i < 4; i++) r |= (unsigned)(both >> (s >> 4 * i & 7) * 8 & 255) << 8 * i;
  return r;
}
EMU_FN unsigned __funnelshift_l(unsigned lo, unsigned hi, unsigned n) {
  return (unsigned)(((uint64_t)hi << 32 | lo) << (n & 31) >> 32);
}
EMU_FN unsigned __funnelshift_r(unsigned lo, unsigned hi, unsigned n) {
  return (unsigned)(((uint64_t)hi << 32 | lo) >> (n & 31));
}
EMU_FN int __mul24(int a, int b) { return a * b; }
EMU_FN unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((uint64_t)a * b >> 32); }
EMU_FN int __mulhi(int a, int b) { return (int)((int64_t)a * b >> 32); }
EMU_FN unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return (unsigned long long)((unsigned __int128)a * b >> 64);
}
EMU_FN int __dp4a(int a, int b, int c) {
  for (int i = 0; i < 4; i++) c += (int8_t)(a >> 8 * i) * (int8_t)(b >> 8 * i);
  return c;
}
// Loads and stores with a hint: the hint is of no account here. Not the emulator's own: they are watched.
template <class T> static inline T __ldg(const T* p) { return *p; }
template <class T> static inline T __ldcg(const T* p) { return *p; }
template <class T> static inline T __ldca(const T* p) { return *p; }
template <class T> static inline T __ldcs(const T* p) { return *p; }
template <class T> static inline T __ldcv(const T* p) { return *p; }
template <class T> static inline T __ldlu(const T* p) { return *p; }
template <class T, class V> static inline void __stcs(T* p, V v) { *p = v; }
template <class T, class V> static inline void __stcg(T* p, V v) { *p = v; }
template <class T, class V> static inline void __stwb(T* p, V v) { *p = v; }
template <class T, class V> static inline void __stwt(T* p, V v) { *p = v; }
template <class A, class B,
          class = std::enable_if_t<std::is_arithmetic<A>::value && std::is_arithmetic<B>::value>>
EMU_OWN constexpr std::common_type_t<A, B> min(A a, B b) {
  using T = std::common_type_t<A, B>;
  return (T)b < (T)a ? (T)b : (T)a;
}
template <class A, class B,
          class = std::enable_if_t<std::is_arithmetic<A>::value && std::is_arithmetic<B>::value>>
EMU_OWN constexpr std::common_type_t<A, B> max(A a, B b) {
  using T = std::common_type_t<A, B>;
  return (T)a < (T)b ? (T)b : (T)a;
}
