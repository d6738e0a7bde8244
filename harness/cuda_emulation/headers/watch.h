// Checked builds: every access of the kernel's own code comes here, and is judged before it happens.
#ifdef EMU_CHECKED
namespace emu {
enum class How { read, write, atomic };

EMU_OWN inline void name_space(const Space& space, uint64_t address, char* out, size_t room) {
  if (space.number >= 0) {
    snprintf(out, room, "tensor argument %d (byte %lu)", space.number + 1, address - space.begin);
    return;
  }
  uint64_t offset = address - space.begin;
  for (unsigned i = 0; i < slot_count; i++)
    if (offset - slots[i].offset < slots[i].bytes) {
      snprintf(out, room, "shared '%s' (byte %lu)", slots[i].name, offset - slots[i].offset);
      return;
    }
  snprintf(out, room, "dynamic shared memory (byte %lu)", offset - dynamic_offset());
}

EMU_OWN inline void race(const Space& space, uint64_t address, uint32_t other, bool others_write, bool write,
                         char* out, size_t room) {
  char where[96];
  name_space(space, address, where, sizeof where);
  snprintf(out, room, "%s: thread %u of block %lu %s what thread %u of block %u %s, and nothing orders the two",
           where, self->rank, block->linear, write ? "writes" : "reads", thread_of(other), block_of(other),
           others_write ? "writes" : "reads");
}

// Two threads may write the same value to one place: known only when the write has been done.
EMU_OWN inline void settle_writes() {
  Write& w = shadow->write;
  if (!w.pending) return;
  w.pending = false;
  if (memcmp(w.before, (const void*)w.p, w.bytes)) fail_at("race", w.place, w.other, "%s", w.text);
}

EMU_OWN [[noreturn]] inline void outside(uint64_t a, size_t bytes, bool write, const void* place) {
  const char* verb = write ? "write" : "read";
  if (a < 65536) fail_at("out_of_bounds", place, nullptr, "%s of %zu bytes through a null pointer", verb, bytes);
  char* stack = block->threads[0].stack;
  if (a - (uint64_t)self->stack + kStack < 3 * kStack || a - (uint64_t)stack < kStack * kMostThreads)
    fail_at("out_of_bounds", place, nullptr, "%s of %zu bytes in the local memory of another thread", verb, bytes);
  const Space* best = nullptr;
  uint64_t nearest = ~0ull;
  for (unsigned i = 0; i < shadow->count; i++) {
    const Space& s = shadow->spaces[i];
    uint64_t far = a < s.begin ? s.begin - a : a + bytes - s.end;
    if (s.number >= 0 && far < nearest) nearest = far, best = &s;
  }
  if (!best)
    fail_at("out_of_bounds", place, nullptr, "%s of %zu bytes where no tensor of this launch lies", verb, bytes);
  fail_at("out_of_bounds", place, nullptr,
          "global memory: %s of %zu bytes, %lu bytes %s tensor argument %d (%lu bytes), by thread %u of block %lu",
          verb, bytes, a < best->begin ? best->begin - a : a - best->end + (a < best->end ? bytes : 0),
          a < best->begin ? "before the begin of" : "after the end of", best->number + 1,
          best->end - best->begin, self->rank, block->linear);
}

EMU_OWN inline void check_shared(const Space& space, uint64_t a, size_t bytes, bool write, bool reads,
                                 const void* place) {
  uint8_t* state = shadow->state + (a - space.begin);
  size_t set = 0;
  for (size_t i = 0; i < bytes; i++) {
    if (state[i] == kNobodys) {
      const Slot* before = nullptr;
      uint64_t offset = a - space.begin;
      for (unsigned k = 0; k < slot_count; k++)
        if (slots[k].offset <= offset && (!before || slots[k].offset > before->offset)) before = &slots[k];
      if (offset >= dynamic_offset() && block->dynamic_bytes)
        fail_at("out_of_bounds", place, nullptr,
                "shared memory: %s of %zu bytes at byte %lu of %zu bytes of dynamic shared memory, by thread %u",
                write ? "write" : "read", bytes, offset - dynamic_offset(), block->dynamic_bytes, self->rank);
      if (!before || offset >= dynamic_offset())
        fail_at("out_of_bounds", place, nullptr, "shared memory: %s of %zu bytes outside of all variables, by thread %u",
                write ? "write" : "read", bytes, self->rank);
      fail_at("out_of_bounds", place, nullptr,
              "shared memory: %s of %zu bytes at byte %lu of '%s', which has %zu, by thread %u",
              write ? "write" : "read", bytes, offset - before->offset, before->name, before->bytes, self->rank);
    }
    set += state[i] == kSet;
  }
  if (write) memset(state, kSet, bytes);
  // Of more than 8 bytes some may be padding of a structure.
  if (reads && (bytes <= 8 ? set < bytes : set + 7 < bytes)) {
    char where[96];
    name_space(space, a, where, sizeof where);
    fail_at("uninitialised_shared", place, nullptr, "thread %u of block %lu reads %s, which nobody has written yet",
            self->rank, block->linear, where);
  }
}

EMU_OWN inline bool stale(const Space& space, uint32_t id) {
  return space.number < 0 && block_of(id) != (uint32_t)block->linear;
}

EMU_OWN inline void note_read(const Space& space, Cell& c, uint8_t bytes, uint32_t place) {
  uint32_t me = uid();
  uint8_t spread = kOne;
  uint32_t lanes = 1u << lane();
  if (c.reader && c.reader != me && !stale(space, c.reader) && !reads_ordered(c)) {
    bool here = block_of(c.reader) == (uint32_t)block->linear;
    if (!here) spread = kGridWide;
    else if (c.spread == kGridWide) spread = kGridWide;
    else if (c.read_time >= shadow->barrier_time) {
      bool same_warp = thread_of(c.reader) / kWarp == self->rank / kWarp && c.spread <= kWarpWide;
      spread = same_warp ? kWarpWide : kBlockWide;
      lanes |= same_warp ? c.lanes : 0;
    }
    bytes |= c.read_bytes;
  } else if (c.reader == me && c.read_time >= shadow->barrier_time) {
    spread = c.spread, lanes |= c.lanes, bytes |= c.read_bytes;
  }
  c.reader = me, c.read_time = shadow->now, c.read_place = place;
  c.lanes = lanes, c.read_bytes = bytes, c.spread = spread;
}

EMU_OWN inline void touch(const Space& space, Cell& c, uint8_t bytes, How how, uint64_t a, size_t size,
                          const void* place) {
  bool write = how != How::read;
  if (c.writer && c.write_bytes & bytes && !stale(space, c.writer) && !(how == How::atomic && c.atomic) &&
      !ordered(c.writer, c.write_time)) {
    Write& w = shadow->write;
    race(space, a, c.writer, true, write, w.text, sizeof w.text);
    if (how != How::write || c.atomic || size > sizeof w.before)
      fail_at("race", place, unpacked(c.write_place), "%s", w.text);
    w.pending = true, w.p = (const volatile void*)a, w.bytes = size;
    w.place = place, w.other = unpacked(c.write_place);
    memcpy(w.before, (void*)a, size);
  }
  if (write && c.reader && c.read_bytes & bytes && !stale(space, c.reader) &&
      !(c.reader == uid() && c.spread == kOne) && !reads_ordered(c)) {
    char text[256];
    race(space, a, c.reader, false, true, text, sizeof text);
    fail_at("race", place, unpacked(c.read_place), "%s", text);
  }
  if (!write) {
    note_read(space, c, bytes, packed(place));
    return;
  }
  uint32_t me = uid();
  bool more = c.writer == me && c.write_time >= shadow->barrier_time && c.atomic == (how == How::atomic);
  c.write_bytes = more ? c.write_bytes | bytes : bytes;
  c.writer = me, c.write_time = shadow->now, c.write_place = packed(place), c.atomic = how == How::atomic;
}

EMU_OWN inline void judge(uint64_t a, size_t bytes, How how, bool reads, const void* place) {
  Shadow& s = *shadow;
  if (a - (uint64_t)self->stack < kStack) return;
  settle_writes();
  Space* space = &s.spaces[s.last];
  if (a < space->begin || a + bytes > space->end) {
    space = nullptr;
    for (unsigned i = 0; i < s.count; i++)
      if (a >= s.spaces[i].begin && a + bytes <= s.spaces[i].end) space = &s.spaces[s.last = i];
    if (!space) {
      if (a >= s.module_begin && a + bytes <= s.module_end) return;  // the kernel's own __device__ variables
      outside(a, bytes, how != How::read, place);
    }
  }
  if (space->number < 0) check_shared(*space, a, bytes, how != How::read, reads, place);
  if (a % bytes && bytes <= 16 && !(bytes & (bytes - 1)) && how == How::atomic)
    fail_at("misaligned", place, nullptr, "an atomic of %zu bytes at an address that is no multiple of it", bytes);
  if (!space->cells) return;
  uint64_t first = (a - space->begin) >> space->shift, last = (a + bytes - 1 - space->begin) >> space->shift;
  unsigned width = 1u << space->shift;
  for (uint64_t i = first; i <= last; i++) {
    uint64_t cell = space->begin + (i << space->shift);
    unsigned low = a > cell ? a - cell : 0, high = a + bytes < cell + width ? a + bytes - cell : width;
    touch(*space, space->cells[i], (uint8_t)(((1u << high) - 1) & ~((1u << low) - 1)), how, a, bytes, place);
  }
}

EMU_OWN inline void watch(const volatile void* p, size_t bytes, bool write, const void* place) {
  if (shadow && shadow->on && self) judge((uint64_t)p, bytes, write ? How::write : How::read, !write, place);
}
EMU_OWN inline void shadow_atomic(const volatile void* p, size_t bytes, bool reads, const void* place) {
  if (!shadow || !shadow->on) return;
  judge((uint64_t)p, bytes, How::atomic, reads, place);
  order_by_atomic((uint64_t)p);
}
}  // namespace emu
#endif
