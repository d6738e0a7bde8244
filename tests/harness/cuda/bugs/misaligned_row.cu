// expect: misaligned
// launch: 8 1 0
// arguments: randn 8x6, zeros 8x6, 6
extern "C" __global__ void misaligned_row(const float* a, float* o, int n) {
  const float4* row = reinterpret_cast<const float4*>(a + blockIdx.x * n);
  o[blockIdx.x * n] = row[0].x;
}
