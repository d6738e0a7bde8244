// expect: misaligned
// launch: 1 32 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void misaligned_shared(const float* a, float* o, int n) {
  __shared__ alignas(16) float s[128];
  for (int i = threadIdx.x; i < 128; i += 32) s[i] = a[i];
  __syncthreads();
  float2 v = *reinterpret_cast<float2*>(&s[threadIdx.x]);
  if (threadIdx.x == 1) o[0] = v.y;
}
