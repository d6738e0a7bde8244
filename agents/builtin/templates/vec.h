// vec.h: fixed-width vectors and elementary functions for generated CPU kernels.
//
// Everything is written once for a type V that is either `float` or `kw::vec<float, W>` (a GCC/Clang
// vector type), so that the body of a loop and its scalar tail share one text. No intrinsics and no
// header but <stdint.h>: it compiles in some 40 ms and for any target; the compiler splits vectors
// that are wider than the machine's.
//
// Accuracy in fp32, in units in the last place, as tests/agents/templates/test_vec.py measures it over
// the whole range, with and without hardware fma:
//   exp 1.1 (degree 5: 3.2; degree 4: 2.9e-6 relative; degree 3: 1.1e-4 relative), expm1 1.7, log 1,
//   log1p 1.5, tanh 2.7, sigmoid 2.6, erf 1.6, sqrt 0.5, rsqrt 1.5, floor/ceil/round/trunc exact;
//   sin and cos: 1.2e-7 absolute up to |x| = 8192, libm beyond; pow: libm, lane by lane.
// exp and sigmoid flush results below 2e-38 to zero. NaN and Inf go through as in torch.
// Polynomials and the rational function of erf are minimax fits (Lawson's iteration in double), the
// coefficients rounded to float one after the other, lowest power first.
#ifndef KW_VEC_H  // a guard, not `once`: kernels carry this file as text, perhaps twice
#define KW_VEC_H
#include <stdint.h>
#pragma GCC diagnostic ignored "-Wpsabi"

#define KW_INLINE static inline __attribute__((always_inline))
// In the body of a scalar tail: keeps the compiler from vectorizing it once more, which only costs
// build time (a third of a second in gemm.h) and code.
#define KW_TAIL __asm__ volatile("")
#define KW_INLINE_MEMBER inline __attribute__((always_inline))

namespace kw {

// Floats in the widest vector register of the target.
#if defined(__AVX512F__)
constexpr int WIDTH = 16;
#elif defined(__AVX__)
constexpr int WIDTH = 8;
#else
constexpr int WIDTH = 4;
#endif

template <class T, int W> struct vec_of {
  typedef T type __attribute__((vector_size(sizeof(T) * W)));
};
template <class T> struct vec_of<T, 1> {
  typedef T type;
};
template <class T, int W> using vec = typename vec_of<T, W>::type;
typedef vec<float, WIDTH> vf;
typedef vec<int32_t, WIDTH> vi;

struct bf16 {
  uint16_t bits;
};
struct fp16 {
  uint16_t bits;
};

// traits<V>: lane type, lane count, and whether V is a scalar (has no lanes to subscript).
template <class V, class = void> struct traits {
  typedef V elem;
  static constexpr int width = 1;
  static constexpr bool scalar = true;
};
template <class V> struct traits<V, decltype((void)(*(V *)0)[0])> {
  typedef __typeof__((*(V *)0)[0]) elem;
  static constexpr int width = sizeof(V) / sizeof(elem);
  static constexpr bool scalar = false;
};
template <class V> using elem = typename traits<V>::elem;
template <class V> constexpr int width = traits<V>::width;
// The vector (or scalar) of T with as many lanes as V.
template <class T, class V> using like = vec<T, width<V>>;

// ---- lanes, bits, conversion ----

// All lanes equal to s. (s - 0 keeps the sign of -0.)
template <class V> KW_INLINE V set(elem<V> s) {
  if constexpr (traits<V>::scalar) return s;
  else return s - V{};
}
// 0, 1, 2, ... in the lanes.
template <class V> KW_INLINE V iota() {
  V v{};
  if constexpr (!traits<V>::scalar)
    for (int l = 0; l < width<V>; l++) v[l] = (elem<V>)l;
  return v;
}
template <class V> KW_INLINE elem<V> lane(V v, int l) {
  if constexpr (traits<V>::scalar) return v;
  else return v[l];
}
// Value conversion lane by lane; floating point to integer truncates.
template <class T, class V> KW_INLINE like<T, V> to(V v) {
  if constexpr (traits<V>::scalar) return (T)v;
  else return __builtin_convertvector(v, like<T, V>);
}
// The same bits as another type of the same size.
template <class To, class V> KW_INLINE To bits(V v) {
  return __builtin_bit_cast(To, v);
}
template <class V> KW_INLINE like<int32_t, V> int_bits(V v) {
  return bits<like<int32_t, V>>(v);
}
// mask is bool for scalars, the result of a vector comparison for vectors.
template <class M, class V> KW_INLINE V select(M mask, V a, V b) {
  return mask ? a : b;
}
template <class M, class V> KW_INLINE V select(M mask, V a, elem<V> b) {
  return mask ? a : set<V>(b);
}

// bfloat16 <-> float (round to nearest even; NaN stays a quiet NaN).
template <class U> KW_INLINE like<float, U> from_bf16(U raw) {
  return bits<like<float, U>>(to<uint32_t>(raw) << 16);
}
template <class V> KW_INLINE like<uint16_t, V> to_bf16(V v) {
  typedef like<uint32_t, V> U;
  U u = bits<U>(v);
  U rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  return to<uint16_t>(select(v == v, rounded, set<U>(0x7fc0u)));
}
// half <-> float in integer arithmetic: no F16C needed, denormals exact.
template <class U> KW_INLINE like<float, U> from_fp16(U raw) {
  typedef like<uint32_t, U> I;
  typedef like<float, U> V;
  I h = to<uint32_t>(raw), magnitude = (h & 0x7fffu) << 13;
  I normal = magnitude + (112u << 23);
  V tiny = bits<V>(magnitude + (113u << 23)) - 6.103515625e-05f;
  I r = select(magnitude < (1u << 23), bits<I>(tiny), normal);
  r = select(magnitude >= (31u << 23), normal + (112u << 23), r);
  return bits<V>(r | ((h & 0x8000u) << 16));
}
template <class V> KW_INLINE like<uint16_t, V> to_fp16(V v) {
  typedef like<uint32_t, V> I;
  I u = bits<I>(v), sign = (u >> 16) & 0x8000u, m = u & 0x7fffffffu;
  I normal = (m - (112u << 23) + 0xfffu + ((m >> 13) & 1u)) >> 13;
  I tiny = bits<I>(bits<V>(m) + 0.5f) - 0x3f000000u;  // 0.5 has the half's smallest step as its ulp
  I r = select(m < (113u << 23), tiny, normal);
  r = select(m >= 0x477ff000u, set<I>(0x7c00u), r);
  r = select(m > 0x7f800000u, set<I>(0x7e00u), r);
  return to<uint16_t>(r | sign);
}

// ---- memory: any alignment, any element type, lanes of V ----

template <class V> struct unaligned {
  typedef V type __attribute__((aligned(1), may_alias));
};
template <class V> KW_INLINE V load_raw(const void *p) {
  return *(const typename unaligned<V>::type *)p;
}
template <class V> KW_INLINE void store_raw(void *p, V v) {
  *(typename unaligned<V>::type *)p = v;
}
// Read width<V> consecutive elements and convert them to V's lane type.
template <class V, class T> KW_INLINE V load(const T *p) {
  return to<elem<V>>(load_raw<like<T, V>>(p));
}
template <class V> KW_INLINE V load(const bf16 *p) {
  return from_bf16(load_raw<like<uint16_t, V>>(p));
}
template <class V> KW_INLINE V load(const fp16 *p) {
  return from_fp16(load_raw<like<uint16_t, V>>(p));
}
template <class V> KW_INLINE V load(const bool *p) {
  return to<elem<V>>(load_raw<like<uint8_t, V>>(p));
}
// Write the lanes of v, converted to T.
template <class T, class V> KW_INLINE void store(T *p, V v) {
  store_raw(p, to<T>(v));
}
template <class V> KW_INLINE void store(bf16 *p, V v) {
  store_raw(p, to_bf16(v));
}
template <class V> KW_INLINE void store(fp16 *p, V v) {
  store_raw(p, to_fp16(v));
}
template <class V> KW_INLINE void store(bool *p, V v) {
  for (int l = 0; l < width<V>; l++) p[l] = lane(v, l) != 0;
}
// Lane l from p[l * stride]: for columns and other strided reads.
template <class V, class T> KW_INLINE V load_strided(const T *p, long stride) {
  V v{};
  if constexpr (traits<V>::scalar) v = load<V>(p);
  else
    for (int l = 0; l < width<V>; l++) v[l] = load<elem<V>>(p + l * stride);
  return v;
}
template <class T, class V> KW_INLINE void store_strided(T *p, long stride, V v) {
  for (int l = 0; l < width<V>; l++) store(p + l * stride, lane(v, l));
}

// ---- arithmetic ----

template <class V> KW_INLINE V fma(V a, V b, V c) {
  return a * b + c;  // one rounding where the target has the instruction (-ffp-contract=fast)
}
template <class V> KW_INLINE V abs(V x) {
  return bits<V>(int_bits(x) & 0x7fffffff);
}
template <class V> KW_INLINE V copysign(V magnitude, V sign) {
  return bits<V>((int_bits(magnitude) & 0x7fffffff) | (int_bits(sign) & (int32_t)0x80000000));
}
// As torch: NaN when either is NaN.
template <class V> KW_INLINE V max(V a, V b) {
  return select((a > b) | (a != a), a, b);
}
template <class V> KW_INLINE V min(V a, V b) {
  return select((a < b) | (a != a), a, b);
}
// One instruction on x86; b where either is NaN. For running maxima whose sum will show the NaN.
#if defined(__AVX512F__) && !defined(__clang__)  // GCC 12 makes a compare and a blend of the plain form
#define KW_MAX_512(op, a, b) \
  if constexpr (__is_same(V, vec<float, 16>)) return __builtin_ia32_##op##ps512_mask(a, b, a, -1, 4);
#else
#define KW_MAX_512(op, a, b)
#endif
template <class V> KW_INLINE V max_fast(V a, V b) {
  KW_MAX_512(max, a, b)
  return a > b ? a : b;
}
template <class V> KW_INLINE V min_fast(V a, V b) {
  KW_MAX_512(min, a, b)
  return a < b ? a : b;
}
template <class V> KW_INLINE V clamp(V x, elem<V> low, elem<V> high) {  // NaN stays
  return min_fast(set<V>(high), max_fast(set<V>(low), x));
}
template <class V> KW_INLINE V sqrt(V x) {
  if constexpr (traits<V>::scalar) return __builtin_sqrtf(x);
  else {
    V r;
    for (int l = 0; l < width<V>; l++) r[l] = __builtin_sqrtf(x[l]);
    return r;
  }
}
template <class V> KW_INLINE V rsqrt(V x) {
  return 1.0f / kw::sqrt(x);
}
template <class V> KW_INLINE V trunc(V x) {
  V t = copysign(to<float>(to<int32_t>(x)), x);
  return select(abs(x) < 8388608.0f, t, x);  // larger floats, Inf and NaN are their own truncation
}
template <class V> KW_INLINE V floor(V x) {
  V t = trunc(x);
  return select(t > x, t - 1.0f, t);
}
template <class V> KW_INLINE V ceil(V x) {
  V t = trunc(x);
  return select(t < x, copysign(t + 1.0f, x), t);
}
// To nearest, ties to even.
template <class V> KW_INLINE V round(V x) {
  V magic = copysign(set<V>(8388608.0f), x);
  V r = copysign((x + magic) - magic, x);
  return select(abs(x) < 8388608.0f, r, x);
}

// c0 + x (c1 + x (c2 + ...))
template <class V> KW_INLINE V horner(V, float c0) {
  return set<V>(c0);
}
template <class V, class... C> KW_INLINE V horner(V x, float c0, C... rest) {
  return horner(x, rest...) * x + c0;
}

// Split x = n ln2 + r with |r| <= ln2 / 2. `shifted` keeps n in its low bits.
template <class V> struct split {
  V r, shifted;
};
template <class V> KW_INLINE split<V> split_exp(V x) {
  V shifted = x * 1.44269504f + 12582912.0f;
  V n = shifted - 12582912.0f;
  V r = x - n * 0.693359375f;          // nine bits: the product is exact
  return {r + n * 2.12194440e-4f, shifted};
}
// 2^(n + shift)
template <class V> KW_INLINE V power_of_two(V shifted, int shift) {
  return bits<V>((int_bits(shifted) << 23) + ((127 + shift) << 23));
}
// exp(r) - 1 on |r| <= ln2 / 2, tight in relative error at 0.
template <int DEGREE, class V> KW_INLINE V expm1_poly(V r) {
  static_assert(DEGREE >= 3 && DEGREE <= 6, "degrees 3 to 6");
  V q;
  if constexpr (DEGREE == 3) return r * horner(r, 1.00019586f, 0.504131019f, 0.165179953f);
  if constexpr (DEGREE == 4)
    return r * horner(r, 0.9999668f, 0.500030041f, 0.167875186f, 0.0415147431f);
  if constexpr (DEGREE == 5)
    q = horner(r, 0.49999401f, 0.166668236f, 0.0418727435f, 0.00833877176f);
  if constexpr (DEGREE == 6)
    q = horner(r, 0.49999997f, 0.166665465f, 0.0416674428f, 0.00836625323f, 0.00138699473f);
  return r * r * q + r;
}

template <int DEGREE = 6, class V> KW_INLINE V exp(V x) {
  split<V> s = split_exp(clamp(x, -87.5f, 89.0f));
  // 2^(n-1), then twice: n = 128 would overflow the scale, n = -126 turns it into the wanted zero.
  return (expm1_poly<DEGREE>(s.r) * 2.0f + 2.0f) * power_of_two(s.shifted, -1);
}

template <int DEGREE = 6, class V> KW_INLINE V expm1(V x) {
  split<V> s = split_exp(clamp(x, -30.0f, 89.0f));
  V half = power_of_two(s.shifted, -1);
  V y = expm1_poly<DEGREE>(s.r) * half + (half - 0.5f);
  return select(abs(x) < 1e-4f, x * x * 0.5f + x, y + y);
}

template <int DEGREE = 6, class V> KW_INLINE V sigmoid(V x) {
  return 1.0f / (1.0f + kw::exp<DEGREE>(-x));
}

template <int DEGREE = 6, class V> KW_INLINE V tanh(V x) {
  V e = kw::expm1<DEGREE>(clamp(abs(x), 0.0f, 10.0f) * -2.0f);
  return copysign(e / (e + 2.0f), x);
}

// log(m 2^e) for u > 0 and normal: e ln2 + log(m), m in [sqrt(1/2), sqrt(2)).
template <class V> KW_INLINE V log_normal(V u, V extra_exponent) {
  typedef like<int32_t, V> I;
  I b = int_bits(u) - 0x3f3504f3;
  V e = to<float>(b >> 23) + extra_exponent;
  V f = bits<V>((b & 0x007fffff) + 0x3f3504f3) - 1.0f;
  V q = horner(f, 0.333333135f, -0.250000089f, 0.200020716f, -0.166679889f, 0.142203584f,
               -0.124062337f, 0.118835486f, -0.116700977f, 0.0674926788f);
  V f2 = f * f;
  V small = f2 * f * q - e * 2.12194440e-4f;
  return e * 0.693359375f + (f + (small - 0.5f * f2));
}
template <class V> KW_INLINE V log(V x) {
  V tiny = select(x < 1.17549435e-38f, set<V>(23.0f), 0.0f);
  V y = log_normal(select(x < 1.17549435e-38f, x * 8388608.0f, x), -tiny);
  y = select(x < 3.4028235e38f, y, x + x);  // Inf and NaN
  y = select(x == 3.4028235e38f, 88.7228394f + V{}, y);
  y = select(x == 0.0f, set<V>(-__builtin_inff()), y);
  return select(x < 0.0f, set<V>(__builtin_nanf("")), y);
}
// log(1 + x): the rounding error of 1 + x is put back to first order.
template <class V> KW_INLINE V log1p(V x) {
  V u = x + 1.0f;
  V y = log_normal(u, V{}) + (x - (u - 1.0f)) / u;
  y = select(abs(x) < 1e-4f, x - 0.5f * x * x, y);
  y = select(x <= 1e38f, y, log(x));  // Inf and NaN
  y = select(x == -1.0f, set<V>(-__builtin_inff()), y);
  return select(x < -1.0f, set<V>(__builtin_nanf("")), y);
}

// x q(x^2) up to 0.875, 1 - exp(-g(|x|)) beyond; from 3.95 on the second rounds to 1.
template <int DEGREE = 5, class V> KW_INLINE V erf(V x) {
  V t = abs(x), z = x * x;
  V small = x + x * horner(z, 0.128379166f, -0.376126289f, 0.112836227f, -0.0268553644f,
                           0.00519094104f, -0.000802640163f, 7.86746896e-05f);
  V c = min_fast(set<V>(3.95f), t);
  V g = c + c * horner(c, 0.128525481f, 0.635680437f, 0.105312094f, -0.0229223967f, 0.00322513515f,
                       -0.000215227847f);
  V large = copysign(1.0f - kw::exp<DEGREE>(-g), x);
  return select(t < 0.875f, small, large);
}

// ---- reductions over lanes (pairwise) ----

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define KW_HAVE_SHUFFLE 1
#endif
#endif
// The halves of a vector of 2, 4, 8, 16 or 32 lanes.
template <class V> using half_of = vec<elem<V>, width<V> / 2>;
template <class V> KW_INLINE half_of<V> low(V v) {
#ifdef KW_HAVE_SHUFFLE
  if constexpr (width<V> == 4) return __builtin_shufflevector(v, v, 0, 1);
  else if constexpr (width<V> == 8) return __builtin_shufflevector(v, v, 0, 1, 2, 3);
  else if constexpr (width<V> == 16) return __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
  else
#endif
  {
    half_of<V> h;
    for (int l = 0; l < width<V> / 2; l++) h[l] = v[l];
    return h;
  }
}
template <class V> KW_INLINE half_of<V> high(V v) {
#ifdef KW_HAVE_SHUFFLE
  if constexpr (width<V> == 4) return __builtin_shufflevector(v, v, 2, 3);
  else if constexpr (width<V> == 8) return __builtin_shufflevector(v, v, 4, 5, 6, 7);
  else if constexpr (width<V> == 16)
    return __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  else
#endif
  {
    half_of<V> h;
    for (int l = 0; l < width<V> / 2; l++) h[l] = v[l + width<V> / 2];
    return h;
  }
}
template <class V> KW_INLINE elem<V> hsum(V v) {
  if constexpr (traits<V>::scalar) return v;
  else if constexpr (width<V> == 2) return v[0] + v[1];
  else return hsum(low(v) + high(v));
}
template <class V> KW_INLINE elem<V> hmax(V v) {
  if constexpr (traits<V>::scalar) return v;
  else if constexpr (width<V> == 2) return kw::max(elem<V>(v[0]), elem<V>(v[1]));
  else return hmax(kw::max(low(v), high(v)));
}
template <class V> KW_INLINE elem<V> hmin(V v) {
  if constexpr (traits<V>::scalar) return v;
  else if constexpr (width<V> == 2) return kw::min(elem<V>(v[0]), elem<V>(v[1]));
  else return hmin(kw::min(low(v), high(v)));
}
// Whether any lane of a mask (bool, or the result of a comparison) is set.
KW_INLINE bool any(bool mask) {
  return mask;
}
template <class M> KW_INLINE bool any(M mask) {
  if constexpr (sizeof(M) > 16) return any(low(mask) | high(mask));
  else if constexpr (sizeof(M) == 16) {
    auto pair = bits<vec<int64_t, 2>>(mask);
    return (pair[0] | pair[1]) != 0;
  } else return bits<int64_t>(mask) != 0;
}

// ---- sin, cos, pow ----

// Apply a scalar function to each lane.
template <class V, class F> KW_INLINE V each(V x, F f) {
  if constexpr (traits<V>::scalar) return f(x);
  else {
    V r;
    for (int l = 0; l < width<V>; l++) r[l] = f(x[l]);
    return r;
  }
}
template <class V> KW_INLINE V pow(V x, V y) {
  if constexpr (traits<V>::scalar) return __builtin_powf(x, y);
  else {
    V r;
    for (int l = 0; l < width<V>; l++) r[l] = __builtin_powf(x[l], y[l]);
    return r;
  }
}
// sin(x + quarter turns * pi/2) for |x| <= 8192: pi/2 in three parts, the first two with eleven bits.
template <class V> KW_INLINE V sin_turned(V x, int quarters) {
  typedef like<int32_t, V> I;
  V shifted = x * 0.636619772f + 12582912.0f;
  V n = shifted - 12582912.0f;
  I quadrant = int_bits(shifted) + quarters;
  V r = x - n * 1.5703125f;
  r = r - n * 4.8351287841796875e-4f;
  r = r - n * 3.1385570764541626e-7f;
  r = r - n * 6.0771005065061922e-11f;
  V z = r * r;
  V s = r + r * z * horner(z, -0.166666597f, 0.00833307858f, -0.000198106907f, 2.60831598e-06f);
  V c = 1.0f + z * horner(z, -0.5f, 0.0416666418f, -0.00138887378f, 2.47604894e-05f, -2.57e-07f);
  V y = select((quadrant & 1) != 0, c, s);
  return bits<V>(int_bits(y) ^ ((quadrant & 2) << 30));
}
template <class V> KW_INLINE V sin(V x) {
  V y = sin_turned(x, 0);
  if (__builtin_expect(any(!(abs(x) <= 8192.0f)), 0))
    y = select(abs(x) <= 8192.0f, y, each(x, [](float v) { return __builtin_sinf(v); }));
  return y;
}
template <class V> KW_INLINE V cos(V x) {
  V y = sin_turned(x, 1);
  if (__builtin_expect(any(!(abs(x) <= 8192.0f)), 0))
    y = select(abs(x) <= 8192.0f, y, each(x, [](float v) { return __builtin_cosf(v); }));
  return y;
}

}  // namespace kw
#endif
