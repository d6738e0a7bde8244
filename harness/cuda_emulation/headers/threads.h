// CUDA threads as fibres: one for each thread of a block, all of a block on one thread of the host.
// A thread that runs to its end without waiting hands its stack to the next one: no switch is made.
namespace emu {
#ifdef EMU_CHECKED
constexpr size_t kStack = 256 << 10;
#else
constexpr size_t kStack = 128 << 10;
#endif
constexpr unsigned kMostThreads = 1024, kWarp = 32, kGroups = 33;

enum class State : uint8_t { fresh, waiting, done };
enum class Wait : uint8_t { none, barrier, warp, converge };
struct Thread {
  uint3 index;
  unsigned rank;
  State state;
  Wait wait;
  int line;  // where it waits
  void* pointer;
  char* stack;
};

// Lanes that meet at one warp intrinsic. It drains before it may gather again.
struct Group {
  unsigned mask, here, leaving;
  int kind, line;
  uint64_t generation;
  uint64_t values[kWarp][2];
};
struct Warp {
  unsigned lanes, alive, waiting;  // lanes that exist, have not returned, wait for anything
  Group groups[kGroups];
};

struct Block {
  Thread threads[kMostThreads];
  Warp warps[kMostThreads / kWarp];
  unsigned ring[kMostThreads];  // the order in which threads are given their turns
  unsigned count, alive, turn, idle;
  unsigned arrived, generation;
  int site;  // line of the barrier that is gathering
  int any, all, sum, results[3];
  uint3 index;
  dim3 block_dim, grid_dim;
  unsigned long linear;
  char* shared;
  char* dynamic;
  size_t dynamic_bytes;
  uint64_t spins;
  void* host;
  void (*body)(void**);
  void** arguments;
};
inline EMU_TLS Block* block = nullptr;
inline EMU_TLS Thread* self = nullptr;

#if defined(__x86_64__)
extern "C" void emu_switch(void** save, void* to);
asm(R"(.text
.weak emu_switch
.hidden emu_switch
.type emu_switch,@function
emu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp,(%rdi)
  movq %rsi,%rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emu_switch,.-emu_switch)");
EMU_OWN inline void* first_frame(char* stack, void (*entry)(), unsigned rank) {
  // Stacks begin at different places in a page, or all would fight for the same lines of the cache.
  uint64_t* top = (uint64_t*)(((uintptr_t)stack + kStack - 64 - rank * 448 % 8192) & ~15ull);
  *--top = 0;
  *--top = (uint64_t)entry;
  for (int i = 0; i < 6; i++) *--top = 0;
  return top;
}
#elif defined(__aarch64__)
extern "C" void emu_switch(void** save, void* to);
asm(R"(.text
.weak emu_switch
.hidden emu_switch
.type emu_switch,%function
emu_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size emu_switch,.-emu_switch)");
EMU_OWN inline void* first_frame(char* stack, void (*entry)(), unsigned rank) {
  uint64_t* top = (uint64_t*)(((uintptr_t)stack + kStack - 64 - rank * 448 % 8192) & ~15ull);
  top -= 20;
  for (int i = 0; i < 20; i++) top[i] = 0;
  top[11] = (uint64_t)entry;  // x30
  return top;
}
#else
#error "CUDA is emulated on x86-64 and aarch64 only"
#endif

EMU_OWN inline Warp& warp() { return block->warps[self->rank / kWarp]; }
EMU_OWN inline unsigned lane() { return self->rank % kWarp; }

// The threads as a stack of their own each, with a page without rights below it.
EMU_OWN inline char* stacks() {
  size_t bytes = kStack * kMostThreads;
  void* all = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (all == MAP_FAILED) return nullptr;
  for (unsigned i = 0; i < kMostThreads; i++) mprotect((char*)all + i * kStack, 4096, PROT_NONE);
  return (char*)all;
}

EMU_OWN inline void go(void** save, void* to) { emu_switch(save, to); }
EMU_OWN void fibre();

EMU_OWN inline Thread* next_thread() {
  Block& b = *block;
  for (unsigned i = 0; i < b.count; i++) {
    if (++b.turn >= b.count) b.turn = 0;
    Thread* t = &b.threads[b.ring[b.turn]];
    if (t->state != State::done) return t;
  }
  return nullptr;
}

// Leave the block where it is, for good: the host goes on, and no fibre ever runs again.
EMU_OWN [[noreturn]] inline void abandon() {
  void* nowhere;
  self = nullptr;
  go(&nowhere, block->host);
  __builtin_unreachable();
}

template <class... A>
EMU_OWN [[noreturn]] inline void fail(const char* code, int line, int other_line,
                                      const char* format, A... a) {
  note_fault(code, nullptr, nullptr, line, other_line, format, a...);
  abandon();
}

EMU_OWN [[noreturn]] void deadlock();
EMU_OWN inline void settle_writes();

// Let the other threads run. The caller's state says what it waits for.
EMU_OWN inline void yield() {
  Block& b = *block;
  EMU_CHECK(settle_writes();)
  if (++b.idle > 4 * b.count + 64) deadlock();
  Thread* me = self;
  me->state = State::waiting;
  Thread* to = next_thread();
  if (to == me) return;
  if (to->state == State::fresh) {
    b.idle = 0;
    to->pointer = first_frame(to->stack, fibre, to->rank);
  }
  self = to;
  go(&me->pointer, to->pointer);
}
}  // namespace emu
