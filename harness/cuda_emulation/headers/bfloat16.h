// cuda_bf16.h: the upper half of a float, rounded to nearest even.
struct __nv_bfloat16 {
  uint16_t u;
  __nv_bfloat16() = default;
  EMU_OWN __nv_bfloat16(float f) {
    uint32_t b;
    memcpy(&b, &f, 4);
    u = f != f ? 0x7fff : (uint16_t)((b + 0x7fff + (b >> 16 & 1)) >> 16);
  }
  EMU_OWN __nv_bfloat16(double f) : __nv_bfloat16((float)f) {}
  EMU_OWN __nv_bfloat16(int f) : __nv_bfloat16((float)f) {}
  EMU_OWN operator float() const {
    uint32_t b = (uint32_t)u << 16;
    float f;
    memcpy(&f, &b, 4);
    return f;
  }
};
struct __attribute__((aligned(4))) __nv_bfloat162 {
  __nv_bfloat16 x, y;
  __nv_bfloat162() = default;
  EMU_OWN __nv_bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) : x(a), y(b) {}
};
using nv_bfloat16 = __nv_bfloat16;
using nv_bfloat162 = __nv_bfloat162;
#define EMU_REAL __nv_bfloat16
#define EMU_REAL2 __nv_bfloat162
#define EMU_FLOAT2 __bfloat1622float2
#include "narrow"
EMU_FN __nv_bfloat16 __float2bfloat16(float f) { return f; }
EMU_FN __nv_bfloat16 __float2bfloat16_rn(float f) { return f; }
EMU_FN float __bfloat162float(__nv_bfloat16 h) { return h; }
EMU_FN __nv_bfloat162 __floats2bfloat162_rn(float a, float b) { return {a, b}; }
EMU_FN __nv_bfloat162 __float22bfloat162_rn(float2 f) { return {f.x, f.y}; }
EMU_FN __nv_bfloat162 __float2bfloat162_rn(float a) { return {a, a}; }
EMU_FN __nv_bfloat162 __bfloat162bfloat162(__nv_bfloat16 a) { return {a, a}; }
EMU_FN __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) { return {a, b}; }
EMU_FN __nv_bfloat162 make_bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) { return {a, b}; }
EMU_FN __nv_bfloat16 __low2bfloat16(__nv_bfloat162 h) { return h.x; }
EMU_FN __nv_bfloat16 __high2bfloat16(__nv_bfloat162 h) { return h.y; }
EMU_FN unsigned short __bfloat16_as_ushort(__nv_bfloat16 h) { return h.u; }
EMU_FN __nv_bfloat16 __ushort_as_bfloat16(unsigned short u) {
  __nv_bfloat16 h;
  h.u = u;
  return h;
}
