// Arithmetic of half and bfloat16 alike: each operation in float, rounded once, as the hardware rounds it.
#define EMU_BINARY(name, op)                                                                        \
  EMU_FN EMU_REAL name(EMU_REAL a, EMU_REAL b) { return EMU_REAL((float)a op (float)b); }           \
  EMU_FN EMU_REAL operator op(EMU_REAL a, EMU_REAL b) { return EMU_REAL((float)a op (float)b); }    \
  EMU_FN EMU_REAL& operator op##=(EMU_REAL& a, EMU_REAL b) { return a = EMU_REAL((float)a op (float)b); } \
  EMU_FN EMU_REAL2 name##2(EMU_REAL2 a, EMU_REAL2 b) { return {name(a.x, b.x), name(a.y, b.y)}; }   \
  EMU_FN EMU_REAL2 operator op(EMU_REAL2 a, EMU_REAL2 b) { return name##2(a, b); }                  \
  EMU_FN EMU_REAL2& operator op##=(EMU_REAL2& a, EMU_REAL2 b) { return a = name##2(a, b); }
EMU_BINARY(__hadd, +) EMU_BINARY(__hsub, -) EMU_BINARY(__hmul, *) EMU_BINARY(__hdiv, /)
#define EMU_COMPARE(name, op)                                                              \
  EMU_FN bool name(EMU_REAL a, EMU_REAL b) { return (float)a op (float)b; }                \
  EMU_FN bool operator op(EMU_REAL a, EMU_REAL b) { return (float)a op (float)b; }
EMU_COMPARE(__hlt, <) EMU_COMPARE(__hle, <=) EMU_COMPARE(__hgt, >) EMU_COMPARE(__hge, >=)
EMU_COMPARE(__heq, ==) EMU_COMPARE(__hne, !=)
#define EMU_UNARY(name, value) EMU_FN EMU_REAL name(EMU_REAL a) { float x = a; (void)x; return EMU_REAL((float)(value)); }
EMU_UNARY(__hneg, -x) EMU_UNARY(__habs, fabsf(x)) EMU_UNARY(hexp, expf(x)) EMU_UNARY(hlog, logf(x))
EMU_UNARY(hsqrt, sqrtf(x)) EMU_UNARY(hrsqrt, 1.0f / sqrtf(x)) EMU_UNARY(hrcp, 1.0f / x)
EMU_UNARY(hsin, sinf(x)) EMU_UNARY(hcos, cosf(x)) EMU_UNARY(htanh, tanhf(x))
EMU_FN EMU_REAL operator-(EMU_REAL a) { return EMU_REAL(-(float)a); }
EMU_FN bool __hisnan(EMU_REAL a) { return (float)a != (float)a; }
EMU_FN EMU_REAL __hmax(EMU_REAL a, EMU_REAL b) { return EMU_REAL(fmaxf(a, b)); }
EMU_FN EMU_REAL __hmin(EMU_REAL a, EMU_REAL b) { return EMU_REAL(fminf(a, b)); }
EMU_FN EMU_REAL __hfma(EMU_REAL a, EMU_REAL b, EMU_REAL c) {
  return EMU_REAL(fma((double)(float)a, (double)(float)b, (double)(float)c));
}
EMU_FN EMU_REAL2 __hfma2(EMU_REAL2 a, EMU_REAL2 b, EMU_REAL2 c) {
  return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)};
}
EMU_FN EMU_REAL2 __hmax2(EMU_REAL2 a, EMU_REAL2 b) { return {__hmax(a.x, b.x), __hmax(a.y, b.y)}; }
EMU_FN EMU_REAL2 __hmin2(EMU_REAL2 a, EMU_REAL2 b) { return {__hmin(a.x, b.x), __hmin(a.y, b.y)}; }
EMU_FN EMU_REAL2 h2exp(EMU_REAL2 a) { return {hexp(a.x), hexp(a.y)}; }
EMU_FN float2 EMU_FLOAT2(EMU_REAL2 a) { return {(float)a.x, (float)a.y}; }
EMU_FN float __low2float(EMU_REAL2 a) { return a.x; }
EMU_FN float __high2float(EMU_REAL2 a) { return a.y; }
#undef EMU_REAL
#undef EMU_REAL2
#undef EMU_FLOAT2
#undef EMU_BINARY
#undef EMU_COMPARE
#undef EMU_UNARY
