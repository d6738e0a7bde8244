// One launch: all blocks of a grid, on all threads of the host, or in a chosen order on one.
extern "C" int omp_get_thread_num();
namespace emu {
struct Region {
  uint64_t begin, end;
  uint32_t element;  // bytes
  uint32_t number;   // which argument
};
struct Launch {
  unsigned grid[3], block[3];
  uint64_t shared;
  unsigned order, seed;  // 0 forwards, 1 backwards, 2 shuffled
  const Region* regions;
  uint64_t region_count;
  double seconds;  // for so long blocks are checked; later ones only run
};
inline uint64_t blocks_run = 0, blocks_checked = 0;

EMU_OWN inline void shadow_begin(const Launch& launch, Block& b);
EMU_OWN inline void shadow_block();
EMU_OWN inline void shadow_end();

EMU_OWN inline uint64_t random_step(uint64_t& state) {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return state;
}

EMU_OWN inline bool prepare(const Launch& l) {
  uint64_t threads = (uint64_t)l.block[0] * l.block[1] * l.block[2];
  if (!threads || threads > kMostThreads || l.block[2] > 64)
    note_fault("launch", nullptr, nullptr, 0, 0, "a block of %u x %u x %u threads: at most 1024 (64 in z)",
               l.block[0], l.block[1], l.block[2]);
  else if (!l.grid[0] || !l.grid[1] || !l.grid[2] || l.grid[0] > 2147483647u || l.grid[1] > 65535 ||
           l.grid[2] > 65535)
    note_fault("launch", nullptr, nullptr, 0, 0,
               "a grid of %u x %u x %u blocks: 1 to 2147483647 in x, 65535 in y and z", l.grid[0],
               l.grid[1], l.grid[2]);
  else if (l.shared > kMostDynamic)
    note_fault("launch", nullptr, nullptr, 0, 0, "%lu bytes of dynamic shared memory: at most %zu",
               l.shared, kMostDynamic);
  return !fault.set;
}

// A block for this thread of the host; it keeps it for good.
EMU_OWN inline Block* own_block() {
  static EMU_TLS Block* kept = nullptr;
  if (kept) return kept;
  Block* b = (Block*)calloc(1, sizeof(Block));
  char* stack = stacks();
  char* arena = (char*)aligned_alloc(4096, kArena);
  if (!b || !stack || !arena) {
    note_fault("memory", nullptr, nullptr, 0, 0, "no memory for the emulated threads");
    return nullptr;
  }
  for (unsigned i = 0; i < kMostThreads; i++) b->threads[i].stack = stack + i * kStack;
  b->shared = arena;
  return kept = b;
}

EMU_OWN inline void set_up(Block& b, const Launch& l, void (*body)(void**), void** arguments) {
  b.block_dim = {l.block[0], l.block[1], l.block[2]};
  b.grid_dim = {l.grid[0], l.grid[1], l.grid[2]};
  b.count = l.block[0] * l.block[1] * l.block[2];
  b.dynamic = b.shared + dynamic_offset();
  b.dynamic_bytes = l.shared;
  b.body = body, b.arguments = arguments;
  uint64_t state = l.seed * 2654435761ull + 88172645463325252ull;
  for (unsigned i = 0; i < b.count; i++) {
    Thread& t = b.threads[i];
    t.rank = i;
    t.index = {i % l.block[0], i / l.block[0] % l.block[1], i / (l.block[0] * l.block[1])};
    b.ring[i] = l.order == 1 ? b.count - 1 - i : i;
  }
  if (l.order == 2)
    for (unsigned i = b.count; i > 1; i--) std::swap(b.ring[i - 1], b.ring[random_step(state) % i]);
}

EMU_OWN inline void run_block(Block& b, uint64_t linear) {
  b.linear = linear;
  b.index = {(unsigned)(linear % b.grid_dim.x), (unsigned)(linear / b.grid_dim.x % b.grid_dim.y),
             (unsigned)(linear / ((uint64_t)b.grid_dim.x * b.grid_dim.y))};
  b.alive = b.count, b.turn = b.count - 1, b.idle = b.arrived = 0, b.site = 0, b.spins = 0;
  b.any = b.sum = 0, b.all = 1;
  unsigned warps = (b.count + kWarp - 1) / kWarp;
  for (unsigned i = 0; i < warps; i++) {
    Warp& w = b.warps[i];
    unsigned lanes = b.count - i * kWarp;
    w.lanes = w.alive = lanes >= kWarp ? ~0u : (1u << lanes) - 1;
    w.waiting = 0;
  }
  for (unsigned i = 0; i < b.count; i++)
    b.threads[i].state = State::fresh, b.threads[i].wait = Wait::none;
  memset(b.shared, 0xFF, shared_top);
  memset(b.dynamic, 0xFF, b.dynamic_bytes);
  block = &b;
  EMU_CHECK(shadow_block();)
  self = next_thread();
  self->pointer = first_frame(self->stack, fibre, self->rank);
  go(&b.host, self->pointer);
  if (fault.set)
    for (unsigned i = 0; i < warps; i++)
      for (Group& g : b.warps[i].groups) g.here = g.leaving = 0;
  self = nullptr;
}

// The i-th block to run: steps of a fixed width that is prime to the number of blocks visit each once.
EMU_OWN inline uint64_t in_order(uint64_t i, uint64_t total, const Launch& l) {
  if (l.order == 1) return total - 1 - i;
  return l.order == 2 && total % 65537 ? (i * 65537 + l.seed) % total : i;
}

EMU_OWN inline int run(const Launch& l, void (*body)(void**), void** arguments) {
  if (!prepare(l)) return 1;
  uint64_t total = (uint64_t)l.grid[0] * l.grid[1] * l.grid[2];
#ifdef EMU_CHECKED
  Block* b = own_block();
  if (!b) return 1;
  set_up(*b, l, body, arguments);
  shadow_begin(l, *b);
  for (uint64_t i = 0; i < total && !fault.set; i++) run_block(*b, in_order(i, total, l));
  shadow_end();
#else
#pragma omp parallel
  {
    Block* b = own_block();
    if (b) set_up(*b, l, body, arguments);
#pragma omp for schedule(dynamic, 1)
    for (uint64_t i = 0; i < total; i++)
      if (b && !fault.set) run_block(*b, in_order(i, total, l));
  }
#endif
  blocks_run += total;
  return fault.set;
}

// Calls a kernel with the arguments that `a` points to.
template <auto Kernel>
struct Call;
template <class... A, void (*Kernel)(A...)>
struct Call<Kernel> {
  template <size_t... I>
  EMU_OWN static void spread(void** a, std::index_sequence<I...>) {
    Kernel(*(std::remove_cv_t<std::remove_reference_t<A>>*)a[I]...);
  }
  EMU_OWN static void call(void** a) { spread(a, std::index_sequence_for<A...>{}); }
};
}  // namespace emu

extern "C" inline __attribute__((used)) EMU_OWN const emu::Fault* emu_fault() { return &emu::fault; }
extern "C" inline __attribute__((used)) EMU_OWN void emu_forget() {
  memset((void*)&emu::fault, 0, sizeof emu::fault);
}
extern "C" inline __attribute__((used)) EMU_OWN void emu_blocks(uint64_t* run, uint64_t* checked) {
  *run = emu::blocks_run, *checked = emu::blocks_checked;
}
extern "C" inline __attribute__((used)) EMU_OWN int emu_checked() {
#ifdef EMU_CHECKED
  return 1;
#else
  return 0;
#endif
}
