// loops.h: what generated loops need beside vec.h: masked ends, wide kinds, gathers, checked indices.
#ifndef VEC
#if defined(__AVX512F__)
#define VEC 16
#elif defined(__AVX__)
#define VEC 8
#else
#define VEC 4
#endif
#endif
#ifndef UNROLL
#define UNROLL 2
#endif
#ifndef THREADS
#define THREADS 1
#endif
#ifndef EXP_DEGREE
#define EXP_DEGREE 5
#endif
#ifndef STASH
#define STASH 1
#endif
namespace kw {
constexpr int W = VEC;
typedef vec<float, W> F;
typedef vec<double, W> D;
typedef vec<int32_t, W> I;
typedef vec<int64_t, W> L;
template <int bytes> struct int_of {
  typedef int32_t type;
};
template <> struct int_of<8> {
  typedef int64_t type;
};
// Integers that say where lanes of V come from.
template <class V> using shuffle_of = vec<typename int_of<sizeof(elem<V>)>::type, width<V>>;
// All W lanes are wanted, or only the first n of them.
struct Full {
  static constexpr bool full = true;
  static constexpr long n = W;
};
struct Tail {
  static constexpr bool full = false;
  long n;
};
KW_INLINE double abs(double x) { return __builtin_fabs(x); }
KW_INLINE D abs(D x) { return x < 0.0 ? -x : x; }
KW_INLINE int32_t abs(int32_t x) { return x < 0 ? -x : x; }
KW_INLINE int64_t abs(int64_t x) { return x < 0 ? -x : x; }
KW_INLINE I abs(I x) { return x < 0 ? -x : x; }
KW_INLINE L abs(L x) { return x < 0 ? -x : x; }
// A function of doubles lane by lane.
template <class G> KW_INLINE double lanes_of(double x, G g) { return g(x); }
template <class V, class G> KW_INLINE V lanes_of(V x, G g) {
  V r{};
  for (int l = 0; l < width<V>; l++) r[l] = g(x[l]);
  return r;
}
#define KW_WIDE(name, call)                                                              \
  KW_INLINE double name(double x) { return call; }                                       \
  KW_INLINE D name(D v) { return lanes_of(v, [](double x) { return (double)(call); }); }
KW_WIDE(sqrt, __builtin_sqrt(x))
KW_WIDE(rsqrt, 1.0 / __builtin_sqrt(x))
KW_WIDE(floor, __builtin_floor(x))
KW_WIDE(ceil, __builtin_ceil(x))
KW_WIDE(round, __builtin_nearbyint(x))
KW_WIDE(trunc, __builtin_trunc(x))
KW_WIDE(log, __builtin_log(x))
KW_WIDE(log1p, __builtin_log1p(x))
KW_WIDE(sin, __builtin_sin(x))
KW_WIDE(cos, __builtin_cos(x))
template <int> KW_INLINE double exp(double x) { return __builtin_exp(x); }
template <int> KW_INLINE D exp(D v) { return lanes_of(v, [](double x) { return __builtin_exp(x); }); }
template <int> KW_INLINE double expm1(double x) { return __builtin_expm1(x); }
template <int> KW_INLINE D expm1(D v) { return lanes_of(v, [](double x) { return __builtin_expm1(x); }); }
template <int> KW_INLINE double tanh(double x) { return __builtin_tanh(x); }
template <int> KW_INLINE D tanh(D v) { return lanes_of(v, [](double x) { return __builtin_tanh(x); }); }
template <int> KW_INLINE double sigmoid(double x) { return 1.0 / (1.0 + __builtin_exp(-x)); }
template <int> KW_INLINE D sigmoid(D v) { return 1.0 / (1.0 + exp<0>(-v)); }
template <int> KW_INLINE double erf(double x) { return __builtin_erf(x); }
template <int> KW_INLINE D erf(D v) { return lanes_of(v, [](double x) { return __builtin_erf(x); }); }
KW_INLINE double pow(double x, double y) { return __builtin_pow(x, y); }
KW_INLINE D pow(D x, D y) {
  D r{};
  for (int l = 0; l < W; l++) r[l] = __builtin_pow(x[l], y[l]);
  return r;
}

// A mask of 32-bit lanes for lanes of the size of V.
template <class V> KW_INLINE auto mask_for(I m) {
  if constexpr (sizeof(elem<V>) == 8) return to<int64_t>(m);
  else return m;
}
template <class V> KW_INLINE V where(I m, V a, V b) { return mask_for<V>(m) ? a : b; }
template <class V> KW_INLINE V where(bool m, V a, V b) { return m ? a : b; }
KW_INLINE I lanes32(I m) { return m; }
KW_INLINE I lanes32(L m) { return to<int32_t>(m); }
KW_INLINE bool lanes32(bool m) { return m; }
// Lanes that are not wanted hold `neutral`.
template <class V> KW_INLINE V keep(V x, V, Full) { return x; }
template <class V> KW_INLINE V keep(V x, V neutral, Tail t) {
  return where<V>(iota<I>() < (int)t.n, x, neutral);
}

template <class V, class T> KW_INLINE V ld(const T *p, Full) { return load<V>(p); }
template <class V, class T> KW_INLINE V ld(const T *p, Tail t) {
#if defined(__AVX512F__) && !defined(__clang__) && VEC == 16
  if constexpr (__is_same(T, float) && __is_same(V, F))
    return __builtin_ia32_loadups512_mask(p, F{}, (unsigned short)((1u << t.n) - 1));
#endif
  T rest[W] = {};
  for (long l = 0; l < t.n; l++) rest[l] = p[l];
  return load<V>((const T *)rest);
}
template <class T, class V> KW_INLINE void st(T *p, V v, Full) { store(p, v); }
template <class T, class V> KW_INLINE void st(T *p, V v, Tail t) {
#if defined(__AVX512F__) && !defined(__clang__) && VEC == 16
  if constexpr (__is_same(T, float) && __is_same(V, F)) {
    __builtin_ia32_storeups512_mask(p, v, (unsigned short)((1u << t.n) - 1));
    return;
  }
#endif
  T rest[W];
  store((T *)rest, v);
  for (long l = 0; l < t.n; l++) p[l] = rest[l];
}
template <class T> KW_INLINE I ldb(const T *p, Full) { return ld<I>((const uint8_t *)p, Full()) != 0; }
template <class T> KW_INLINE I ldb(const T *p, Tail t) { return ld<I>((const uint8_t *)p, t) != 0; }
template <class T> KW_INLINE bool ldb1(const T *p) { return *p; }
template <class X> KW_INLINE void stb(bool *p, I m, X t) {
  vec<uint8_t, W> b = to<uint8_t>(m & 1);
  for (long l = 0; l < t.n; l++) p[l] = b[l];
}
KW_INLINE void st1(float *p, float v) { *p = v; }
KW_INLINE void st1(double *p, double v) { *p = v; }
KW_INLINE void st1(bf16 *p, float v) { p->bits = to_bf16(v); }
KW_INLINE void st1(fp16 *p, float v) { p->bits = to_fp16(v); }
template <class T, class V> KW_INLINE void st1(T *p, V v) { *p = (T)v; }
template <class V, class T> KW_INLINE V ld1(const T *p) {
  if constexpr (__is_same(T, bf16)) return from_bf16(p->bits);
  else if constexpr (__is_same(T, fp16)) return from_fp16(p->bits);
  else return (V)*p;
}
// Each wanted lane from a function of its number.
template <class V, class X, class G> KW_INLINE V gather(X t, G g) {
  V r{};
  for (long l = 0; l < t.n; l++) r[l] = g(l);
  return r;
}
// p[i] lane by lane, for indices that are known to be inside.
template <class X> KW_INLINE F pick(const float *p, I i, X t) {
#if defined(__AVX512F__) && !defined(__clang__) && VEC == 16
  if constexpr (X::full) return __builtin_ia32_gathersiv16sf(F{}, p, i, (unsigned short)-1, 4);
#elif defined(__AVX2__) && !defined(__clang__) && VEC == 8
  if constexpr (X::full) return __builtin_ia32_gathersiv8sf(F{}, p, i, bits<F>(I{} - 1), 4);
#endif
  F r{};
  for (long l = 0; l < t.n; l++) r[l] = p[i[l]];
  return r;
}
// Elements 0, 2, 4, ... from p on.
template <class V, class T, class X> KW_INLINE V ld_even(const T *p, X t) {
#if defined(__GNUC__) && !defined(__clang__)
  if constexpr (X::full) {
    const V a = load<V>(p), b = load<V>(p + W - 1);  // not beyond the last element that is wanted
    typedef shuffle_of<V> M;
    M from;
    for (int l = 0; l < W; l++) from[l] = 2 * l < W ? 2 * l : 2 * l + 1;
    return __builtin_shuffle(a, b, from);
  }
#endif
  V r{};
  for (long l = 0; l < t.n; l++) r[l] = load<elem<V>>(p + 2 * l);
  return r;
}
// a and b in turns.
template <class T, class V, class X> KW_INLINE void st_pairs(T *p, V a, V b, X t) {
#if defined(__GNUC__) && !defined(__clang__)
  if constexpr (X::full) {
    typedef shuffle_of<V> M;
    M first, second;
    for (int l = 0; l < W; l++) {
      first[l] = l / 2 + (l % 2) * W;
      second[l] = W / 2 + l / 2 + (l % 2) * W;
    }
    store(p, (V)__builtin_shuffle(a, b, first));
    store(p + W, (V)__builtin_shuffle(a, b, second));
    return;
  }
#endif
  for (long l = 0; l < t.n; l++) {
    store(p + 2 * l, (elem<V>)a[l]);
    store(p + 2 * l + 1, (elem<V>)b[l]);
  }
}
template <class X, class G> KW_INLINE void each_lane(X t, G g) {
  for (long l = 0; l < t.n; l++) g(l);
}
static int kw_bad;  // set when an index points outside of its tensor
template <class T> KW_INLINE T checked(T i, long size, bool negative) {
  if (negative && i < 0) i += (T)size;
  if (i < 0 || i >= size) {
    kw_bad = 1;
    return 0;
  }
  return i;
}
template <class V, class X> KW_INLINE V checked_lanes(V i, long size, bool negative, X t) {
  V r{};
  if constexpr (X::full) {
    if (!any((i < 0) | (i >= (elem<V>)size))) return i;
  }
  for (long l = 0; l < t.n; l++) r[l] = checked<elem<V>>(i[l], size, negative);
  return r;
}
// Integer division that cannot trap: lanes beyond the end of a row hold zeros.
template <class T> KW_INLINE T truncdiv(T a, T b) { return b == 0 ? 0 : b == -1 ? 0 - a : a / b; }
template <class T> KW_INLINE T truncrem(T a, T b) { return b == 0 || b == -1 ? 0 : a % b; }
KW_INLINE int32_t saturated(int64_t x) {
  return x < INT32_MIN ? INT32_MIN : x > INT32_MAX ? INT32_MAX : (int32_t)x;
}
// Indices from memory as int32, checked.
template <class T, class X> KW_INLINE I ld_checked(const T *p, long size, bool negative, X t) {
#if defined(KW_HAVE_SHUFFLE) && VEC == 16
  if constexpr (X::full && sizeof(T) == 8) {
    typedef vec<int64_t, 8> Half;
    const Half a = load_raw<Half>(p), b = load_raw<Half>(p + 8);
    if (!any((a < 0) | (a >= size) | (b < 0) | (b >= size)))
      return __builtin_shufflevector(to<int32_t>(a), to<int32_t>(b), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
                                     11, 12, 13, 14, 15);
  }
#endif
  I r{};
  for (long l = 0; l < t.n; l++) r[l] = (int32_t)checked<int64_t>(p[l], size, negative);
  return r;
}
template <class T> KW_INLINE T floordiv(T a, T b) {
  T q = truncdiv(a, b);
  return (truncrem(a, b) != 0 && ((a < 0) != (b < 0))) ? q - 1 : q;
}
template <class T> KW_INLINE T rem(T a, T b) {
  T r = truncrem(a, b);
  return (r != 0 && ((r < 0) != (b < 0))) ? r + b : r;
}
KW_INLINE long clamp_index(long i, long low, long high) { return i < low ? low : i > high ? high : i; }
// Keep the compiler from fusing the product x into a sum: a difference of equal products is 0.
template <class V> KW_INLINE V rounded(V x) {
#if defined(__x86_64__)
  __asm__("" : "+x"(x));
#elif defined(__aarch64__)
  __asm__("" : "+w"(x));
#endif
  return x;
}
template <class V> KW_INLINE V add(V a, V b) { return a + b; }
template <class V> KW_INLINE V mul(V a, V b) { return a * b; }
template <class V> KW_INLINE V both(V a, V b) { return a & b; }
template <class V> KW_INLINE V either(V a, V b) { return a | b; }
// Fold the lanes of a vector.
template <class V, class G> KW_INLINE elem<V> fold(V v, G g) {
  elem<V> r = v[0];
  for (int l = 1; l < width<V>; l++) r = g(r, (elem<V>)v[l]);
  return r;
}
// Lanes moved up by `step`, `neutral` coming in.
template <int step, class V> KW_INLINE V moved_up(V v, V neutral) {
#if defined(__GNUC__) && !defined(__clang__)
  typedef shuffle_of<V> M;
  M from;
  for (int l = 0; l < width<V>; l++) from[l] = l < step ? width<V> + l : l - step;
  return __builtin_shuffle(v, neutral, from);
#else
  V r = neutral;
  for (int l = step; l < width<V>; l++) r[l] = v[l - step];
  return r;
#endif
}
// Running totals over the lanes: lane l holds g(v[0], ..., v[l]).
template <class V, class G> KW_INLINE V running(V v, G g, elem<V> neutral) {
  const V n = set<V>(neutral);
  v = g(v, moved_up<1>(v, n));
  if constexpr (width<V> > 2) v = g(v, moved_up<2>(v, n));
  if constexpr (width<V> > 4) v = g(v, moved_up<4>(v, n));
  if constexpr (width<V> > 8) v = g(v, moved_up<8>(v, n));
  if constexpr (width<V> > 16) v = g(v, moved_up<16>(v, n));
  return v;
}
// Largest (or smallest) so far with its place; NaN is larger and smaller than anything, the first wins.
template <bool LARGEST, class V> KW_INLINE auto beats(V x, V best) {
  if constexpr (LARGEST) return (x > best) | ((x != x) & (best == best));
  else return (x < best) | ((x != x) & (best == best));
}
}  // namespace kw
