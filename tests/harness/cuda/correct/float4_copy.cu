// launch: 1 256 0
// arguments: randn 1024, zeros 1024, 1024
// check: a1 - a0
extern "C" __global__ void float4_copy(const float* a, float* o, int n) {
  int i = threadIdx.x;
  if (4 * i < n) reinterpret_cast<float4*>(o)[i] = reinterpret_cast<const float4*>(a)[i];
}
