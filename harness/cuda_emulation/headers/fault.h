// The first thing that a launch does wrong ends it; what it was is kept for Python to ask.
namespace emu {
constexpr int kBusy = 1;
struct Fault {
  int set;
  char code[32];
  char text[400];
  uint64_t place, other;  // offsets into this library of the code that did it; 0: unknown
  int line, other_line;   // or lines, where they are known at once
};
inline Fault fault{};

EMU_OWN inline uint64_t offset_of(const void* code) {
  Dl_info info;
  return code && dladdr(code, &info) ? (uint64_t)code - (uint64_t)info.dli_fbase : 0;
}

template <class... A>
EMU_OWN inline void note_fault(const char* code, const void* place, const void* other, int line,
                               int other_line, const char* format, A... a) {
  if (__atomic_exchange_n(&fault.set, kBusy, __ATOMIC_SEQ_CST)) return;
  snprintf(fault.code, sizeof fault.code, "%s", code);
  snprintf(fault.text, sizeof fault.text, format, a...);
  fault.place = offset_of(place);
  fault.other = offset_of(other);
  fault.line = line;
  fault.other_line = other_line;
}
}  // namespace emu
