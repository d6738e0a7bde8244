// Checked builds: what is known of each piece of memory that a kernel may touch, and who touched it last.
//
// An access is ordered before a later one when both are of one thread, a barrier of the block lies between,
// a warp intrinsic that both lanes took part in does, or a fence and an atomic that the other block (or
// thread) saw. Times are counted in such events. What is not ordered, and not all reads or all atomics, is a
// race, whatever order the emulator happened to run it in.
#ifdef EMU_CHECKED
namespace emu {
constexpr size_t kMostCells = 1 << 24;  // 512 MB of records: larger tensors are checked for bounds only

struct Cell {
  uint32_t writer, write_time, write_place;
  uint32_t reader, read_time, read_place;
  uint32_t lanes;  // of the readers' warp
  uint8_t write_bytes, read_bytes, atomic, spread;
};
enum Spread : uint8_t { kOne, kWarpWide, kBlockWide, kGridWide };

struct Space {
  uint64_t begin, end;
  unsigned shift;  // log2 of the bytes that share a cell
  int number;      // argument; -1: shared memory
  Cell* cells;
};
struct Release { uint32_t block, thread, fence, time; };
struct Sync {
  uint64_t address;
  Release* log;
  uint32_t count, room;
};
struct Acquired { Sync* sync; uint32_t thread, time; };
struct Write {
  bool pending;
  const volatile void* p;
  size_t bytes;
  char before[16], text[256];
  const void *place, *other;
};
constexpr unsigned kMostSpaces = 80, kSyncs = 4096, kMostAcquired = 4096;

struct Shadow {
  bool on;
  Space spaces[kMostSpaces];
  unsigned count, last;
  uint8_t state[kArena];  // of each byte of shared memory: nobody's, unset, set
  uint32_t now, barrier_time, fence_time;
  uint32_t known[kMostThreads / kWarp][kWarp][kWarp];
  Sync syncs[kSyncs];
  Acquired acquired[kMostAcquired];
  unsigned acquired_count;
  Write write;
  double until;
  uint64_t module_begin, module_end;
};
enum { kNobodys, kUnset, kSet };
inline Shadow* shadow = nullptr;

EMU_OWN inline double seconds_now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}
EMU_OWN inline uint32_t uid() { return (uint32_t)block->linear * kMostThreads + self->rank + 1; }
EMU_OWN inline uint32_t block_of(uint32_t id) { return (id - 1) / kMostThreads; }
EMU_OWN inline uint32_t thread_of(uint32_t id) { return (id - 1) % kMostThreads; }
EMU_OWN inline uint32_t packed(const void* place) { return (uint32_t)((char*)place - (char*)&fault); }
EMU_OWN inline const void* unpacked(uint32_t place) {
  return place ? (char*)&fault + (int32_t)place : nullptr;
}

template <class... A>
EMU_OWN [[noreturn]] inline void fail_at(const char* code, const void* place, const void* other,
                                         const char* format, A... a) {
  note_fault(code, place, other, 0, 0, format, a...);
  abandon();
}

// Where this library lies, with the variables and constants of the kernel's source.
EMU_OWN inline int find_module(dl_phdr_info* info, size_t, void*) {
  uint64_t begin = ~0ull, end = 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD) continue;
    uint64_t at = info->dlpi_addr + header.p_vaddr;
    if (at < begin) begin = at;
    if (at + header.p_memsz > end) end = at + header.p_memsz;
  }
  if ((uint64_t)&fault < begin || (uint64_t)&fault >= end) return 0;
  shadow->module_begin = begin, shadow->module_end = end;
  return 1;
}

EMU_OWN inline Cell* new_cells(size_t count) {
  if (count > kMostCells) return nullptr;
  void* p = mmap(nullptr, count * sizeof(Cell), PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? nullptr : (Cell*)p;
}
EMU_OWN inline size_t cells_of(const Space& s) { return ((s.end - s.begin) >> s.shift) + 2; }
EMU_OWN inline void add_space(uint64_t begin, uint64_t end, unsigned shift, int number) {
  Space s = {begin, end, shift, number, nullptr};
  s.cells = new_cells(cells_of(s));
  shadow->spaces[shadow->count++] = s;
}

EMU_OWN inline void shadow_begin(const Launch& launch, Block& b) {
  if (!shadow) {
    shadow = (Shadow*)mmap(nullptr, sizeof(Shadow), PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    dl_iterate_phdr(find_module, nullptr);
  }
  Shadow& s = *shadow;
  s.until = seconds_now() + launch.seconds;
  s.count = s.last = 0;
  s.now++;
  add_space((uint64_t)b.shared, (uint64_t)b.shared + kArena, 1, -1);
  for (uint64_t i = 0; i < launch.region_count && s.count < kMostSpaces; i++) {
    const Region& r = launch.regions[i];
    unsigned shift = r.element >= 8 ? 3 : r.element == 4 ? 2 : r.element == 2 ? 1 : 0;
    add_space(r.begin, r.end, shift, (int)r.number);
  }
}

EMU_OWN inline void shadow_end() {
  Shadow& s = *shadow;
  s.on = false;
  for (unsigned i = 0; i < s.count; i++)
    if (s.spaces[i].cells) munmap(s.spaces[i].cells, cells_of(s.spaces[i]) * sizeof(Cell));
  for (Sync& y : s.syncs) free(y.log), y = Sync{};
  s.write.pending = false;
}

EMU_OWN inline void shadow_block() {
  Shadow& s = *shadow;
  s.on = seconds_now() < s.until;
  if (!s.on) return;
  blocks_checked++;
  s.barrier_time = ++s.now;
  s.fence_time = 0;
  s.acquired_count = 0;
  size_t used = dynamic_offset() + block->dynamic_bytes + kGap;
  memset(s.state, kNobodys, used);
  for (unsigned i = 0; i < slot_count; i++) memset(s.state + slots[i].offset, kUnset, slots[i].bytes);
  memset(s.state + dynamic_offset(), kUnset, block->dynamic_bytes);
}

EMU_OWN inline void shadow_barrier() { shadow->barrier_time = ++shadow->now; }

EMU_OWN inline void shadow_warp(unsigned warp, unsigned lanes) {
  auto& known = shadow->known[warp];
  uint32_t now = ++shadow->now;
  uint32_t joined[kWarp] = {};
  for (unsigned l = 0; l < kWarp; l++)
    if (lanes >> l & 1)
      for (unsigned k = 0; k < kWarp; k++)
        if (known[l][k] > joined[k]) joined[k] = known[l][k];
  for (unsigned k = 0; k < kWarp; k++)
    if (lanes >> k & 1) joined[k] = now;
  for (unsigned l = 0; l < kWarp; l++)
    if (lanes >> l & 1) memcpy(known[l], joined, sizeof joined);
}

EMU_OWN inline void shadow_fence() { shadow->fence_time = ++shadow->now; }

EMU_OWN inline Sync* sync_at(uint64_t address, bool make) {
  for (unsigned i = 0, at = address / 2 % kSyncs; i < 64; i++, at = (at + 1) % kSyncs) {
    Sync& y = shadow->syncs[at];
    if (y.address == address) return &y;
    if (!y.address) {
      if (make) y.address = address;
      return make ? &y : nullptr;
    }
  }
  return nullptr;
}

// An atomic lets others see what lies before its block's last fence, and sees what others let it see.
EMU_OWN inline void order_by_atomic(uint64_t address) {
  Shadow& s = *shadow;
  Sync* y = sync_at(address, s.fence_time != 0);
  if (!y) return;
  uint32_t now = ++s.now;
  if (y->count) {
    unsigned i = s.acquired_count;
    for (unsigned k = i; k && k + 8 > i; k--)
      if (s.acquired[k - 1].sync == y && s.acquired[k - 1].thread == self->rank) i = k - 1;
    if (i < kMostAcquired) s.acquired[i] = {y, self->rank, now};
    if (i == s.acquired_count && i < kMostAcquired) s.acquired_count++;
  }
  if (!s.fence_time) return;
  if (y->count == y->room) {
    y->room = y->room ? 2 * y->room : 16;
    y->log = (Release*)realloc(y->log, y->room * sizeof(Release));
  }
  y->log[y->count++] = {(uint32_t)block->linear, self->rank, s.fence_time, now};
}

EMU_OWN inline bool seen_by_atomic(uint32_t id, uint32_t time) {
  Shadow& s = *shadow;
  bool here = block_of(id) == (uint32_t)block->linear;
  for (unsigned i = 0; i < s.acquired_count; i++) {
    const Acquired& a = s.acquired[i];
    if (here && a.thread != self->rank) continue;
    for (uint32_t k = a.sync->count; k--;) {
      const Release& r = a.sync->log[k];
      if (r.block == block_of(id) && r.fence > time && r.time < a.time) return true;
    }
  }
  return false;
}

EMU_OWN inline bool ordered(uint32_t id, uint32_t time) {
  if (id == uid()) return true;
  if (block_of(id) == (uint32_t)block->linear) {
    if (time < shadow->barrier_time) return true;
    unsigned t = thread_of(id);
    if (t / kWarp == self->rank / kWarp && time < shadow->known[t / kWarp][lane()][t % kWarp]) return true;
  }
  return seen_by_atomic(id, time);
}

EMU_OWN inline bool reads_ordered(const Cell& c) {
  if (c.spread == kOne) return ordered(c.reader, c.read_time);
  if (c.spread == kGridWide) return false;
  if (block_of(c.reader) != (uint32_t)block->linear) return seen_by_atomic(c.reader, c.read_time);
  if (c.read_time < shadow->barrier_time) return true;
  if (c.spread == kBlockWide || thread_of(c.reader) / kWarp != self->rank / kWarp) return false;
  for (unsigned l = 0; l < kWarp; l++)
    if (c.lanes >> l & 1 && l != lane() && c.read_time >= shadow->known[self->rank / kWarp][lane()][l])
      return false;
  return true;
}
}  // namespace emu
#endif
