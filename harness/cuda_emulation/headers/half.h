// cuda_fp16.h: half by the compiler's own type, which rounds to nearest even as the GPU does.
struct __half {
  _Float16 v;
  __half() = default;
  EMU_OWN __half(float f) : v((_Float16)f) {}
  EMU_OWN __half(double f) : v((_Float16)f) {}
  EMU_OWN __half(int f) : v((_Float16)f) {}
  EMU_OWN __half(unsigned f) : v((_Float16)f) {}
  EMU_OWN operator float() const { return (float)v; }
};
struct __attribute__((aligned(4))) __half2 {
  __half x, y;
  __half2() = default;
  EMU_OWN __half2(__half a, __half b) : x(a), y(b) {}
};
using half = __half;
using half2 = __half2;
#define EMU_REAL __half
#define EMU_REAL2 __half2
#define EMU_FLOAT2 __half22float2
#include "narrow"
EMU_FN __half __float2half(float f) { return f; }
EMU_FN __half __float2half_rn(float f) { return f; }
EMU_FN __half __double2half(double f) { return f; }
EMU_FN __half __int2half_rn(int i) { return (float)i; }
EMU_FN int __half2int_rn(__half h) { return (int)nearbyintf(h); }
EMU_FN float __half2float(__half h) { return h; }
EMU_FN __half2 __floats2half2_rn(float a, float b) { return {a, b}; }
EMU_FN __half2 __float22half2_rn(float2 f) { return {f.x, f.y}; }
EMU_FN __half2 __float2half2_rn(float a) { return {a, a}; }
EMU_FN __half2 __half2half2(__half a) { return {a, a}; }
EMU_FN __half2 __halves2half2(__half a, __half b) { return {a, b}; }
EMU_FN __half2 make_half2(__half a, __half b) { return {a, b}; }
EMU_FN __half __low2half(__half2 h) { return h.x; }
EMU_FN __half __high2half(__half2 h) { return h.y; }
EMU_FN unsigned short __half_as_ushort(__half h) { unsigned short u; memcpy(&u, &h, 2); return u; }
EMU_FN __half __ushort_as_half(unsigned short u) { __half h; memcpy((void*)&h, &u, 2); return h; }
