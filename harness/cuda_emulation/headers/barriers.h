// Where threads wait for one another: __syncthreads, warp intrinsics, and what happens when they never meet.
namespace emu {
EMU_OWN inline void shadow_barrier();
EMU_OWN inline void shadow_warp(unsigned warp, unsigned lanes);

EMU_OWN inline void release_barrier() {
  Block& b = *block;
  b.results[0] = b.any, b.results[1] = b.all, b.results[2] = b.sum;
  b.any = b.sum = 0, b.all = 1;
  b.arrived = 0, b.site = 0, b.idle = 0, b.generation++;
  EMU_CHECK(shadow_barrier();)
}

// __syncthreads at `line`; threads that have returned are not waited for, as from compute capability 7.0 on.
EMU_OWN __attribute__((noinline)) inline void barrier(int line, int predicate = 0) {
  Block& b = *block;
  if (b.arrived && b.site != line)
    fail("barrier_divergence", line, b.site, "threads of one block wait at different barriers");
  b.site = line;
  b.any |= !!predicate, b.all &= !!predicate, b.sum += !!predicate;
  unsigned generation = b.generation;
  if (++b.arrived == b.alive) {
    release_barrier();
    return;
  }
  self->wait = Wait::barrier, self->line = line, warp().waiting++;
  while (generation == b.generation) yield();
  self->wait = Wait::none, warp().waiting--;
}

EMU_OWN inline void release_group(Warp& w, Group& g) {
  g.leaving = __builtin_popcount(g.here);
  g.generation++;
  block->idle = 0;
  EMU_CHECK(shadow_warp(&w - block->warps, g.here);)
}

enum Kind { kSync = 1, kShuffle, kVote, kMatch, kReduce, kConverge };

// Gather at a warp intrinsic with a value of at most 16 bytes; `leave` when the others' have been read.
EMU_OWN inline Group& gather(unsigned mask, int kind, int line, const void* value, size_t bytes) {
  Warp& w = warp();
  unsigned me = lane();
  if (!(mask >> me & 1))
    fail("bad_mask", line, 0, "lane %u calls a warp intrinsic whose mask 0x%08x does not name it", me,
         mask);
  Group* g = nullptr;
  for (Group& other : w.groups)
    if (other.here && !other.leaving && other.mask == mask) g = &other;
  if (!g)
    for (Group& other : w.groups)
      if (!other.here && !g) g = &other;
  if (g->here && g->kind != kind)
    fail("bad_mask", line, g->line, "lanes of one mask 0x%08x meet at different warp intrinsics", mask);
  g->mask = mask, g->kind = kind, g->line = line;
  g->here |= 1u << me;
  memcpy(g->values[me], value, bytes);
  uint64_t generation = g->generation;
  if ((mask & w.alive) == g->here) {
    release_group(w, *g);
    return *g;
  }
  self->wait = Wait::warp, self->line = line, w.waiting++;
  while (generation == g->generation) yield();
  self->wait = Wait::none, w.waiting--;
  return *g;
}

EMU_OWN inline void leave(Group& g) {
  if (!--g.leaving) g.here = 0;
}

EMU_OWN inline void sync_warp(unsigned mask, int line) {
  int nothing = 0;
  leave(gather(mask, kSync, line, &nothing, sizeof nothing));
}

// Lanes that come to `line` while the others of their warp wait elsewhere or have returned.
EMU_OWN inline unsigned converged(int line) {
  Warp& w = warp();
  unsigned me = lane();
  Group* g = nullptr;
  for (Group& other : w.groups)
    if (other.here && !other.leaving && other.kind == kConverge && other.line == line) g = &other;
  if (!g)
    for (Group& other : w.groups)
      if (!other.here && !g) g = &other;
  g->mask = 0, g->kind = kConverge, g->line = line, g->here |= 1u << me;
  uint64_t generation = g->generation;
  self->wait = Wait::converge, self->line = line, w.waiting++;
  while (generation == g->generation) {
    if (w.waiting == (unsigned)__builtin_popcount(w.alive)) {
      for (Group& other : w.groups)
        if (other.here && !other.leaving && other.kind == kConverge) release_group(w, other);
      break;
    }
    yield();
  }
  self->wait = Wait::none, w.waiting--;
  unsigned lanes = g->here;
  leave(*g);
  return lanes;
}

// Nobody can go on: say who waits for whom.
EMU_OWN [[noreturn]] inline void deadlock() {
  Block& b = *block;
  for (unsigned i = 0; i < b.count; i++) {
    Thread& t = b.threads[i];
    if (t.state != State::waiting || t.wait != Wait::warp) continue;
    Warp& w = b.warps[i / kWarp];
    for (Group& g : w.groups)
      if (g.here && !g.leaving && g.here >> i % kWarp & 1)
        fail("bad_mask", t.line, 0,
             "lanes 0x%08x wait at a warp intrinsic for lanes 0x%08x of its mask, which never come",
             g.here, g.mask & w.alive & ~g.here);
  }
  int here = 0, elsewhere = 0;
  unsigned waits = 0;
  for (unsigned i = 0; i < b.count; i++) {
    Thread& t = b.threads[i];
    if (t.state == State::waiting && t.wait == Wait::barrier) here = t.line, waits++;
    else if (t.state == State::waiting) elsewhere = t.line;
  }
  fail("barrier_divergence", here, elsewhere,
       "%u of %u threads wait at a barrier that the others never reach", waits, b.count);
}

// A thread has returned: whoever waited for it alone goes on.
EMU_OWN inline void finish() {
  Block& b = *block;
  EMU_CHECK(settle_writes();)
  Warp& w = warp();
  self->state = State::done;
  b.alive--, b.idle = 0;
  w.alive &= ~(1u << lane());
  for (Group& g : w.groups)
    if (g.here && !g.leaving && g.kind != kConverge && (g.mask & w.alive) == g.here) release_group(w, g);
  if (b.arrived && b.arrived == b.alive) release_barrier();
}

// What runs on a stack: threads, one after the other, until one of them has to wait.
EMU_OWN inline void fibre() {
  for (;;) {
    block->body(block->arguments);
    finish();
    Thread* to = next_thread();
    if (!to) abandon();
    if (to->state == State::fresh) {
      char* stack = to->stack;  // not std::swap, which would be watched
      to->stack = self->stack, self->stack = stack;
      self = to;
      continue;
    }
    void* nowhere;
    self = to;
    go(&nowhere, to->pointer);
  }
}
}  // namespace emu
