// cooperative_groups.h: blocks, tiles of a warp, coalesced threads, and reductions over them.
namespace cooperative_groups {
struct thread_block {
  EMU_OWN static void sync(EMU_LINE) { emu::barrier(line); }
  EMU_OWN static unsigned thread_rank() { return emu::self->rank; }
  EMU_OWN static unsigned size() { return emu::block->count; }
  EMU_OWN static unsigned num_threads() { return emu::block->count; }
  EMU_OWN static dim3 group_index() { return emu::block->index; }
  EMU_OWN static dim3 thread_index() { return emu::self->index; }
  EMU_OWN static dim3 group_dim() { return emu::block->block_dim; }
  EMU_OWN static dim3 dim_threads() { return emu::block->block_dim; }
};
EMU_OWN inline thread_block this_thread_block() { return {}; }

struct coalesced_group {
  unsigned lanes;
  EMU_OWN void sync(EMU_LINE) const { emu::sync_warp(lanes, line); }
  EMU_OWN unsigned size() const { return __builtin_popcount(lanes); }
  EMU_OWN unsigned num_threads() const { return size(); }
  EMU_OWN unsigned thread_rank() const { return __builtin_popcount(lanes & ((1u << emu::lane()) - 1)); }
  EMU_OWN int nth(unsigned rank) const {
    for (int i = 0; i < 32; i++)
      if (lanes >> i & 1 && !rank--) return i;
    return -1;
  }
  template <class T>
  EMU_OWN T shfl(T v, unsigned from, EMU_LINE) const { return emu::exchange(lanes, v, nth(from), line); }
  template <class T>
  EMU_OWN T shfl_down(T v, unsigned by, EMU_LINE) const {
    return emu::exchange(lanes, v, nth(thread_rank() + by), line);
  }
  template <class T>
  EMU_OWN T shfl_up(T v, unsigned by, EMU_LINE) const {
    return emu::exchange(lanes, v, thread_rank() >= by ? nth(thread_rank() - by) : -1, line);
  }
  EMU_OWN unsigned ballot(int p, EMU_LINE) const {
    unsigned found = emu::vote(lanes, p, line), packed = 0;
    for (unsigned i = 0, k = 0; i < 32; i++)
      if (lanes >> i & 1) packed |= (found >> i & 1) << k++;
    return packed;
  }
  EMU_OWN int any(int p, EMU_LINE) const { return emu::vote(lanes, p, line) != 0; }
  EMU_OWN int all(int p, EMU_LINE) const { return emu::vote(lanes, !p, line) == 0; }
};
EMU_OWN inline coalesced_group coalesced_threads(EMU_LINE) { return {emu::converged(line)}; }

template <unsigned Size, class Parent = thread_block>
struct thread_block_tile : coalesced_group {
  static_assert(Size && Size <= 32 && !(Size & (Size - 1)), "tiles of 1 to 32 threads, a power of two");
  EMU_OWN thread_block_tile()
      : coalesced_group{Size == 32 ? ~0u : ((1u << (Size & 31)) - 1) << (emu::lane() & ~(Size - 1))} {}
  EMU_OWN static constexpr unsigned size() { return Size; }
  EMU_OWN static constexpr unsigned num_threads() { return Size; }
  EMU_OWN unsigned thread_rank() const { return emu::lane() & (Size - 1); }
  EMU_OWN unsigned meta_group_rank() const { return emu::self->rank / Size; }
  EMU_OWN unsigned meta_group_size() const { return (emu::block->count + Size - 1) / Size; }
  template <class T>
  EMU_OWN T shfl(T v, int from, EMU_LINE) const { return __shfl_sync(lanes, v, from, Size, line); }
  template <class T>
  EMU_OWN T shfl_down(T v, unsigned by, EMU_LINE) const { return __shfl_down_sync(lanes, v, by, Size, line); }
  template <class T>
  EMU_OWN T shfl_up(T v, unsigned by, EMU_LINE) const { return __shfl_up_sync(lanes, v, by, Size, line); }
  template <class T>
  EMU_OWN T shfl_xor(T v, int by, EMU_LINE) const { return __shfl_xor_sync(lanes, v, by, Size, line); }
};
template <unsigned Size, class Parent>
EMU_OWN thread_block_tile<Size, Parent> tiled_partition(const Parent&) { return {}; }

template <class T> using plus = emu::Add<T>;
template <class T> using less = emu::Least<T>;
template <class T> using greater = emu::Most<T>;
template <class T> using bit_and = emu::And<T>;
template <class T> using bit_or = emu::Or<T>;
template <class T> using bit_xor = emu::Xor<T>;
template <class T, class Op>
EMU_OWN T reduce(const coalesced_group& g, T v, Op op, EMU_LINE) {
  return emu::reduce_lanes(g.lanes, v, line, op);
}
EMU_OWN inline void sync(const thread_block&, EMU_LINE) { emu::barrier(line); }
EMU_OWN inline void sync(const coalesced_group& g, EMU_LINE) { g.sync(line); }
}  // namespace cooperative_groups
