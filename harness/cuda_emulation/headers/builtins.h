// What kernels call: indices, barriers, warp intrinsics, fences, atomics.
#ifdef EMU_CHECKED
#define EMU_INDEX EMU_OWN __attribute__((const))
#else
#define EMU_INDEX
#endif
namespace emu {
EMU_INDEX static inline uint3 thread_index() { return self->index; }
EMU_INDEX static inline uint3 block_index() { return block->index; }
EMU_INDEX static inline dim3 block_dim() { return block->block_dim; }
EMU_INDEX static inline dim3 grid_dim() { return block->grid_dim; }
EMU_OWN inline void shadow_fence();
EMU_OWN inline void shadow_atomic(const volatile void* p, size_t bytes, bool reads, const void* place);
EMU_OWN inline void watch(const volatile void* p, size_t bytes, bool write, const void* place);
EMU_OWN static inline int barrier_with(int line, int predicate, int which) {
  barrier(line, predicate);
  return block->results[which];
}
}  // namespace emu
#define threadIdx (emu::thread_index())
#define blockIdx (emu::block_index())
#define blockDim (emu::block_dim())
#define gridDim (emu::grid_dim())
constexpr int warpSize = 32;

#define __syncthreads() emu::barrier(__LINE__)
#define __syncthreads_or(p) emu::barrier_with(__LINE__, (p), 0)
#define __syncthreads_and(p) emu::barrier_with(__LINE__, (p), 1)
#define __syncthreads_count(p) emu::barrier_with(__LINE__, (p), 2)
EMU_OWN static inline void __syncwarp(unsigned mask = ~0u, int line = __builtin_LINE()) {
  emu::sync_warp(mask, line);
}
EMU_OWN static inline unsigned __activemask(int line = __builtin_LINE()) { return emu::converged(line); }
EMU_OWN static inline void __threadfence() { EMU_CHECK(emu::shadow_fence();) }
EMU_OWN static inline void __threadfence_block() { EMU_CHECK(emu::shadow_fence();) }
EMU_OWN static inline void __threadfence_system() { EMU_CHECK(emu::shadow_fence();) }
EMU_OWN static inline void __nanosleep(unsigned) {}
EMU_OWN static inline long long clock64() {
  static EMU_TLS long long ticks = 0;
  return ++ticks;
}
#define clock() ((int)clock64())
#define __trap() emu::fail("trap", __LINE__, 0, "the kernel stopped itself: __trap()")
#undef assert
#define assert(x) \
  ((x) ? (void)0 : emu::fail("assertion", __LINE__, 0, "an assertion of the kernel failed: %s", #x))
#define __builtin_assume(x) (void)0
#define __assume(x) (void)0

namespace emu {
// The value that lane `from` gave, or one's own where `from` is none; an absent lane has no value.
template <class T>
EMU_OWN inline T exchange(unsigned mask, T value, int from, int line) {
  static_assert(sizeof(T) <= 16, "a shuffle takes at most 16 bytes");
  Group& g = gather(mask, kShuffle, line, &value, sizeof value);
  if (from >= 0 && !(g.here >> from & 1))
    fail("bad_shuffle", line, 0, "lane %u reads lane %d, which %s", lane(), from,
         mask >> from & 1 ? "does not take part" : "is not in the mask");
  if (from >= 0) memcpy((void*)&value, g.values[from], sizeof value);
  leave(g);
  return value;
}
EMU_OWN inline unsigned vote(unsigned mask, bool yes, int line) {
  Group& g = gather(mask, kVote, line, &yes, sizeof yes);
  unsigned found = 0;
  for (unsigned i = 0; i < kWarp; i++)
    if (g.here >> i & 1 && *(bool*)g.values[i]) found |= 1u << i;
  leave(g);
  return found;
}
template <class T, class F>
EMU_OWN inline T reduce_lanes(unsigned mask, T value, int line, F f) {
  Group& g = gather(mask, kReduce, line, &value, sizeof value);
  T result = value;
  bool first = true;
  for (unsigned i = 0; i < kWarp; i++)
    if (g.here >> i & 1) {
      T other;
      memcpy((void*)&other, g.values[i], sizeof other);
      result = first ? other : f(result, other);
      first = false;
    }
  leave(g);
  return result;
}
template <class T>
EMU_OWN inline unsigned match(unsigned mask, T value, int line) {
  Group& g = gather(mask, kMatch, line, &value, sizeof value);
  unsigned found = 0;
  for (unsigned i = 0; i < kWarp; i++)
    if (g.here >> i & 1 && !memcmp(g.values[i], &value, sizeof value)) found |= 1u << i;
  leave(g);
  return found;
}
}  // namespace emu

#define EMU_LINE int line = __builtin_LINE()
template <class T>
EMU_OWN T __shfl_sync(unsigned mask, T v, int from, int width = 32, EMU_LINE) {
  int me = emu::lane();
  return emu::exchange(mask, v, (me & ~(width - 1)) | (from & (width - 1)), line);
}
template <class T>
EMU_OWN T __shfl_down_sync(unsigned mask, T v, unsigned by, int width = 32, EMU_LINE) {
  int me = emu::lane();
  return emu::exchange(mask, v, (me & (width - 1)) + (int)by < width ? me + (int)by : -1, line);
}
template <class T>
EMU_OWN T __shfl_up_sync(unsigned mask, T v, unsigned by, int width = 32, EMU_LINE) {
  int me = emu::lane();
  return emu::exchange(mask, v, (me & (width - 1)) >= (int)by ? me - (int)by : -1, line);
}
template <class T>
EMU_OWN T __shfl_xor_sync(unsigned mask, T v, int by, int width = 32, EMU_LINE) {
  int me = emu::lane(), from = me ^ by;
  return emu::exchange(mask, v, (from & ~(width - 1)) <= (me & ~(width - 1)) ? from : -1, line);
}
EMU_OWN static inline unsigned __ballot_sync(unsigned mask, int p, EMU_LINE) {
  return emu::vote(mask, p, line);
}
EMU_OWN static inline int __any_sync(unsigned mask, int p, EMU_LINE) {
  return emu::vote(mask, p, line) != 0;
}
EMU_OWN static inline int __all_sync(unsigned mask, int p, EMU_LINE) {
  return emu::vote(mask, !p, line) == 0;
}
template <class T>
EMU_OWN unsigned __match_any_sync(unsigned mask, T v, EMU_LINE) {
  return emu::match(mask, v, line);
}
template <class T>
EMU_OWN unsigned __match_all_sync(unsigned mask, T v, int* all, EMU_LINE) {
  unsigned same = emu::match(mask, v, line), alive = mask & emu::warp().alive;
  *all = same == alive;
  return *all ? mask : 0;
}
namespace emu {
template <class T> struct Add { EMU_OWN T operator()(T a, T b) const { return a + b; } };
template <class T> struct Least { EMU_OWN T operator()(T a, T b) const { return b < a ? b : a; } };
template <class T> struct Most { EMU_OWN T operator()(T a, T b) const { return a < b ? b : a; } };
template <class T> struct And { EMU_OWN T operator()(T a, T b) const { return a & b; } };
template <class T> struct Or { EMU_OWN T operator()(T a, T b) const { return a | b; } };
template <class T> struct Xor { EMU_OWN T operator()(T a, T b) const { return a ^ b; } };
}  // namespace emu
#define EMU_REDUCE(name, F)                                           \
  template <class T>                                                  \
  EMU_OWN T __reduce_##name##_sync(unsigned mask, T v, EMU_LINE) {    \
    return emu::reduce_lanes(mask, v, line, emu::F<T>{});             \
  }
EMU_REDUCE(add, Add) EMU_REDUCE(min, Least) EMU_REDUCE(max, Most)
EMU_REDUCE(and, And) EMU_REDUCE(or, Or) EMU_REDUCE(xor, Xor)

namespace emu {
// Who does nothing but atomics waits for somebody: others get their turn.
EMU_OWN inline void atomic_turn() {
  Block& b = *block;
  if (++b.spins % 1024) return;
  if (b.spins > 1ull << 27)
    fail("no_progress", 0, 0, "threads wait in a loop for what never comes: blocks that wait for other"
         " blocks cannot be emulated");
  b.idle = 0;
  yield();
}
template <class T, class Op> struct With { T v; EMU_OWN T operator()(T o) const { return Op{}(o, v); } };
template <class T> struct Sub { EMU_OWN T operator()(T a, T b) const { return a - b; } };
template <class T> struct Take { EMU_OWN T operator()(T, T b) const { return b; } };
template <class T, class F>
EMU_OWN inline T update(T* p, F f, const void* place) {
  constexpr bool reads = !std::is_same<F, With<T, Take<T>>>::value;
  (void)reads;
  static_assert(sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8, "no such atomic");
  using U = std::conditional_t<sizeof(T) == 8, uint64_t,
                               std::conditional_t<sizeof(T) == 4, uint32_t, uint16_t>>;
  EMU_CHECK(shadow_atomic(p, sizeof(T), reads, place);)
  atomic_turn();
  U before = __atomic_load_n((U*)p, __ATOMIC_RELAXED), after;
  T old;
  do {
    memcpy((void*)&old, &before, sizeof old);
    T fresh = f(old);
    memcpy(&after, (void*)&fresh, sizeof after);
  } while (!__atomic_compare_exchange_n((U*)p, &before, after, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return old;
}
template <class T> struct Cas { T c, v; EMU_OWN T operator()(T o) const { return o == c ? v : o; } };
struct Inc { unsigned v; EMU_OWN unsigned operator()(unsigned o) const { return o >= v ? 0 : o + 1; } };
struct Dec {
  unsigned v;
  EMU_OWN unsigned operator()(unsigned o) const { return !o || o > v ? v : o - 1; }
};
}  // namespace emu
#define EMU_HERE __builtin_return_address(0)
#define EMU_ATOMIC(name, Op)                                                             \
  template <class T, class V>                                                            \
  EMU_OWN __attribute__((noinline)) T name(T* p, V v) {                                  \
    return emu::update(p, emu::With<T, emu::Op<T>>{(T)v}, EMU_HERE);                     \
  }                                                                                      \
  template <class T, class V>                                                            \
  EMU_OWN __attribute__((noinline)) T name##_block(T* p, V v) {                          \
    return emu::update(p, emu::With<T, emu::Op<T>>{(T)v}, EMU_HERE);                     \
  }
EMU_ATOMIC(atomicAdd, Add) EMU_ATOMIC(atomicSub, Sub) EMU_ATOMIC(atomicExch, Take)
EMU_ATOMIC(atomicMin, Least) EMU_ATOMIC(atomicMax, Most) EMU_ATOMIC(atomicAnd, And)
EMU_ATOMIC(atomicOr, Or) EMU_ATOMIC(atomicXor, Xor)
template <class T, class C, class V>
EMU_OWN __attribute__((noinline)) T atomicCAS(T* p, C c, V v) {
  return emu::update(p, emu::Cas<T>{(T)c, (T)v}, EMU_HERE);
}
EMU_OWN __attribute__((noinline)) static unsigned atomicInc(unsigned* p, unsigned v) {
  return emu::update(p, emu::Inc{v}, EMU_HERE);
}
EMU_OWN __attribute__((noinline)) static unsigned atomicDec(unsigned* p, unsigned v) {
  return emu::update(p, emu::Dec{v}, EMU_HERE);
}
