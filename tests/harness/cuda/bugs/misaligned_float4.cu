// expect: misaligned
// launch: 1 32 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void misaligned_float4(const float* a, float* o, int n) {
  float4 v = *reinterpret_cast<const float4*>(a + 1);
  if (threadIdx.x == 0) o[0] = v.x + v.y;
}
