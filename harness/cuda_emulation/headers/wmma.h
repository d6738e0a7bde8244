// mma.h: matrix fragments of a warp. Which lane holds which element is nobody's business, so it is the simplest.
namespace nvcuda {
namespace wmma {
struct row_major {};
struct col_major {};
struct matrix_a {};
struct matrix_b {};
struct accumulator {};
enum layout_t { mem_row_major, mem_col_major };
namespace precision {
struct tf32 {};
}
template <class Use, int M, int N, int K> struct Shape;
template <int M, int N, int K> struct Shape<matrix_a, M, N, K> { enum { rows = M, columns = K }; };
template <int M, int N, int K> struct Shape<matrix_b, M, N, K> { enum { rows = K, columns = N }; };
template <int M, int N, int K> struct Shape<accumulator, M, N, K> { enum { rows = M, columns = N }; };
template <class T> struct Stored { using type = T; };
template <> struct Stored<precision::tf32> { using type = float; };

template <class Use, int M, int N, int K, class T, class Layout = void>
struct fragment {
  using element_type = typename Stored<T>::type;
  enum { rows = Shape<Use, M, N, K>::rows, columns = Shape<Use, M, N, K>::columns };
  enum { num_elements = rows * columns / 32 };
  element_type x[num_elements];
};
EMU_FN float __float_to_tf32(float f) {
  uint32_t b;
  memcpy(&b, &f, 4);
  b = f != f ? b : (b + 0xfff + (b >> 13 & 1)) & ~0x1fffu;
  memcpy(&f, &b, 4);
  return f;
}
template <class F, class V>
EMU_OWN void fill_fragment(F& f, V v) {
  for (auto& e : f.x) e = v;
}
namespace detail {
// Element e of this lane's part of a fragment, in memory of `ld` elements a row (or column).
template <class F>
EMU_OWN size_t place(int e, unsigned ld, bool by_column) {
  unsigned i = emu::lane() * F::num_elements + e, r = i / F::columns, c = i % F::columns;
  return by_column ? (size_t)c * ld + r : (size_t)r * ld + c;
}
template <class F, class P>
EMU_OWN void load(F& f, const P* p, unsigned ld, bool by_column, const void* from, int line) {
  emu::sync_warp(~0u, line);
  for (int e = 0; e < F::num_elements; e++) {
    const P* at = p + place<F>(e, ld, by_column);
    EMU_CHECK(emu::watch(at, sizeof(P), false, from);)
    f.x[e] = *at;
  }
  emu::sync_warp(~0u, line);
}
}  // namespace detail
template <class U, int M, int N, int K, class T, class L, class P>
EMU_OWN __attribute__((noinline)) void load_matrix_sync(fragment<U, M, N, K, T, L>& f, const P* p, unsigned ld,
                                                        EMU_LINE) {
  detail::load(f, p, ld, std::is_same<L, col_major>::value, EMU_HERE, line);
}
template <int M, int N, int K, class T, class P>
EMU_OWN __attribute__((noinline)) void load_matrix_sync(fragment<accumulator, M, N, K, T>& f, const P* p, unsigned ld,
                                                        layout_t layout, EMU_LINE) {
  detail::load(f, p, ld, layout == mem_col_major, EMU_HERE, line);
}
template <int M, int N, int K, class T, class P>
EMU_OWN __attribute__((noinline)) void store_matrix_sync(P* p, const fragment<accumulator, M, N, K, T>& f, unsigned ld,
                                                         layout_t layout, EMU_LINE) {
  using F = fragment<accumulator, M, N, K, T>;
  emu::sync_warp(~0u, line);
  for (int e = 0; e < F::num_elements; e++) {
    P* at = p + detail::place<F>(e, ld, layout == mem_col_major);
    EMU_CHECK(emu::watch(at, sizeof(P), true, EMU_HERE);)
    *at = f.x[e];
  }
  emu::sync_warp(~0u, line);
}
template <int M, int N, int K, class D, class A, class LA, class B, class LB, class C>
EMU_OWN void mma_sync(fragment<accumulator, M, N, K, D>& d, const fragment<matrix_a, M, N, K, A, LA>& a,
                      const fragment<matrix_b, M, N, K, B, LB>& b, const fragment<accumulator, M, N, K, C>& c,
                      EMU_LINE) {
  using FA = fragment<matrix_a, M, N, K, A, LA>;
  using FB = fragment<matrix_b, M, N, K, B, LB>;
  const void* mine[2] = {a.x, b.x};
  const typename FA::element_type* as[32];
  const typename FB::element_type* bs[32];
  emu::Group& g = emu::gather(~0u, emu::kSync, line, mine, sizeof mine);
  for (int l = 0; l < 32; l++) {
    memcpy(&as[l], &g.values[l][0], sizeof as[l]);
    memcpy(&bs[l], &g.values[l][1], sizeof bs[l]);
  }
  emu::leave(g);
  D result[fragment<accumulator, M, N, K, D>::num_elements];
  for (int e = 0; e < d.num_elements; e++) {
    int i = emu::lane() * d.num_elements + e, m = i / N, n = i % N;
    float sum = (float)c.x[e];
    for (int k = 0; k < K; k++) {
      int ia = m * K + k, ib = k * N + n;
      sum += (float)as[ia / a.num_elements][ia % a.num_elements] * (float)bs[ib / b.num_elements][ib % b.num_elements];
    }
    result[e] = sum;
  }
  emu::sync_warp(~0u, line);
  for (int e = 0; e < d.num_elements; e++) d.x[e] = result[e];
}
}  // namespace wmma
}  // namespace nvcuda
