// Shared memory: one arena a block, each variable with unowned bytes about it, all full of NaN at first.
namespace emu {
constexpr size_t kArena = 1 << 20, kGap = 64, kMostStatic = 48 << 10, kMostDynamic = 227 << 10;
struct Slot {
  size_t offset, bytes;
  const char* name;
};
inline Slot slots[512];
inline unsigned slot_count = 0;
inline size_t shared_top = kGap;

EMU_OWN inline size_t reserve(size_t bytes, size_t align, const char* name) {
  size_t offset = (shared_top + align - 1) / align * align;
  if (slot_count == 512 || offset + bytes + kGap > kArena - kMostDynamic - 4096) {
    note_fault("launch", nullptr, nullptr, 0, 0, "too much static shared memory");
    return 0;
  }
  slots[slot_count++] = {offset, bytes, name};
  shared_top = offset + bytes + kGap;
  return offset;
}

// The place of a variable, found when the library is loaded: the type `Tag` stands for its declaration.
template <class T, class Tag, size_t Align>
inline const size_t slot = reserve(sizeof(T), Align > alignof(T) ? Align : alignof(T), Tag::name());

template <class T, class Tag, size_t Align>
EMU_OWN inline T& shared() {
  static_assert(sizeof(T) <= kMostStatic, "static shared memory is at most 48 KiB");
  return *(T*)(block->shared + slot<T, Tag, Align>);
}
template <class T>
EMU_OWN inline T* dynamic_shared() {
  return (T*)block->dynamic;
}
EMU_OWN inline size_t dynamic_offset() { return (shared_top + 1023) / 1024 * 1024; }
}  // namespace emu
