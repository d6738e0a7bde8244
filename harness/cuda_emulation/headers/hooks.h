// Checked builds: what the compiler calls before each access (-fsanitize=thread) and at undefined behaviour.
// Source of the interface: gcc's sanitizer.def, and the handlers of LLVM's ubsan runtime. No runtime is linked.
#ifdef EMU_CHECKED
#define EMU_HOOK extern "C" __attribute__((visibility("hidden"), used)) EMU_OWN
#define EMU_HOOKS(n)                                                                              \
  EMU_HOOK void __tsan_read##n(void* p) { emu::watch(p, n, false, EMU_HERE); }                    \
  EMU_HOOK void __tsan_write##n(void* p) { emu::watch(p, n, true, EMU_HERE); }                    \
  EMU_HOOK void __tsan_unaligned_read##n(void* p) { emu::watch(p, n, false, EMU_HERE); }          \
  EMU_HOOK void __tsan_unaligned_write##n(void* p) { emu::watch(p, n, true, EMU_HERE); }
EMU_HOOKS(1) EMU_HOOKS(2) EMU_HOOKS(4) EMU_HOOKS(8) EMU_HOOKS(16)
EMU_HOOK void __tsan_read_range(void* p, unsigned long n) { emu::watch(p, n, false, EMU_HERE); }
EMU_HOOK void __tsan_write_range(void* p, unsigned long n) { emu::watch(p, n, true, EMU_HERE); }
EMU_HOOK void __tsan_init() {}
EMU_HOOK void __tsan_func_entry(void*) {}
EMU_HOOK void __tsan_func_exit() {}
EMU_HOOK void __tsan_vptr_read(void**) {}
EMU_HOOK void __tsan_vptr_update(void**, void*) {}
EMU_HOOK uint8_t __tsan_atomic8_load(const volatile uint8_t* p, int) { return __atomic_load_n(p, 5); }
EMU_HOOK uint32_t __tsan_atomic32_load(const volatile uint32_t* p, int) { return __atomic_load_n(p, 5); }
EMU_HOOK uint64_t __tsan_atomic64_load(const volatile uint64_t* p, int) { return __atomic_load_n(p, 5); }

namespace emu {
struct Place {
  const char* file;
  uint32_t line, column;
};
struct Type {
  uint16_t kind, info;
  char name[1];
};
struct Mismatch {
  Place place;
  const Type* type;
  uint8_t log_align, kind;
};
struct Index {
  Place place;
  const Type *array, *index;
};
struct Typed {
  Place place;
  const Type* type;
};
template <class... A>
EMU_OWN inline void undefined(const char* code, const Place& place, const char* format, A... a) {
  if (!self) return;
  note_fault(code, nullptr, nullptr, (int)place.line, 0, format, a...);
  abandon();
}
}  // namespace emu
EMU_HOOK void __ubsan_handle_type_mismatch_v1(emu::Mismatch* m, uint64_t a) {
  unsigned align = 1u << m->log_align;
  if (!a)
    emu::undefined("out_of_bounds", m->place, "a null pointer to %s is used", m->type->name);
  else if (a & (align - 1))
    emu::undefined("misaligned", m->place, "an access to %s, which must lie at a multiple of %u bytes, %lu bytes off",
                   m->type->name, align, a & (align - 1));
  else
    emu::undefined("out_of_bounds", m->place, "local memory: an access to %s beyond the variable", m->type->name);
}
EMU_HOOK void __ubsan_handle_out_of_bounds(emu::Index* i, uint64_t index) {
  emu::undefined("out_of_bounds", i->place, "index %ld out of bounds of %s", (long)index, i->array->name);
}
#define EMU_UNDEFINED(name, text)                                            \
  EMU_HOOK void __ubsan_handle_##name(emu::Typed* t, uint64_t, uint64_t) {   \
    emu::undefined("undefined_behaviour", t->place, text);                   \
  }
EMU_UNDEFINED(add_overflow, "signed integer overflow in an addition")
EMU_UNDEFINED(sub_overflow, "signed integer overflow in a subtraction")
EMU_UNDEFINED(mul_overflow, "signed integer overflow in a multiplication")
EMU_UNDEFINED(negate_overflow, "signed integer overflow in a negation")
EMU_UNDEFINED(divrem_overflow, "division by zero")
EMU_UNDEFINED(vla_bound_not_positive, "an array of no elements")
EMU_UNDEFINED(builtin_unreachable, "code that must not be reached is")
EMU_UNDEFINED(missing_return, "a function with a result ends without one")
#endif
